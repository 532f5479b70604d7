//! `kds models`: what there is, whether its files are whole, and adding to it.

use kds_host::{Context, Library, ModelInfo};

use crate::{
    add_model, confidence,
    options::{Models, ModelsAction},
    output, table,
};

/// Does what was asked; `false` when a model that was checked is not whole.
///
/// # Errors
/// When the library cannot be loaded, a registry cannot be read, or a model is not known or cannot be added.
pub fn run(options: &Models) -> anyhow::Result<bool> {
    let library = Library::open()?;
    let context = Context::new(&library, &options.library.context_options(output::say))?;
    match &options.action {
        ModelsAction::List => output::print(&describe(&context.models()?)).map(|()| true),
        ModelsAction::Show(id) => output::print(&show(&find(&context, id)?)).map(|()| true),
        ModelsAction::Check(ids) => check(&context, ids),
        ModelsAction::Add { source, id } => add_model::add(&library, options, &context, source, id.as_deref()),
    }
}

fn find(context: &Context, id: &str) -> anyhow::Result<ModelInfo> {
    let models = context.models()?;
    let known = models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", ");
    let found = models.iter().find(|model| model.id == id).cloned();
    found.ok_or_else(|| anyhow::anyhow!("there is no model '{id}'; the models are {known}"))
}

fn check(context: &Context, ids: &[String]) -> anyhow::Result<bool> {
    let all = || Ok::<_, kds_host::Error>(context.models()?.into_iter().map(|model| model.id).collect());
    let ids: Vec<String> = if ids.is_empty() { all()? } else { ids.to_vec() };
    let mut whole = true;
    for id in &ids {
        let line = match context.check_model(id) {
            Ok(()) => format!("{id}: all files are as they should be\n"),
            Err(error) => {
                whole = false;
                format!("{id}: {error}\n")
            }
        };
        output::print(&line)?;
    }
    Ok(whole)
}

/// All that is known of a model, a line each.
fn show(model: &ModelInfo) -> String {
    let scale = format!("{}x", model.scale);
    let mask = if model.needs_mask { "needed" } else { "not needed" };
    let pairs = [
        ("id", &model.id[..]),
        ("title", &model.title),
        ("task", &model.task),
        ("scale", &scale),
        ("mask", mask),
        ("backbone", &model.backbone),
        ("source", &model.source),
        ("confidence", &confidence::meaning(model.calibration, true)),
    ];
    pairs.iter().map(|(key, value)| format!("{:<12}{value}\n", format!("{key}:"))).collect()
}

/// The table of these models.
pub fn describe(models: &[ModelInfo]) -> String {
    let head = ["ID", "TITLE", "TASK", "SCALE", "SOURCE"].map(str::to_owned);
    let rows = models.iter().map(|model| {
        let task = if model.needs_mask { format!("{} (needs --mask)", model.task) } else { model.task.clone() };
        [model.id.clone(), model.title.clone(), task, format!("{}x", model.scale), model.source.clone()]
    });
    table::columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_a_line() {
        let model = ModelInfo {
            id: "kds-fill".into(),
            title: "Fills holes".into(),
            task: "inpainting".into(),
            backbone: "builtin".into(),
            source: "built-in".into(),
            scale: 1,
            needs_mask: true,
            calibration: None,
        };
        let text = describe(&[model]);
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line, "kds-fill  Fills holes  inpainting (needs --mask)  1x     built-in");
    }
}
