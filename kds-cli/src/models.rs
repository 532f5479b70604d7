//! `kds models`: the table of models.

use kds_host::{Context, Library, ModelInfo};

use crate::{options, output, table};

/// Prints the models of all registries.
///
/// # Errors
/// When the library cannot be loaded or a registry cannot be read.
pub fn print(options: &options::Library) -> anyhow::Result<()> {
    let context = Context::new(&Library::open()?, &options.context_options(output::say))?;
    output::print(&describe(&context.models()?))
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
        };
        let text = describe(&[model]);
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line, "kds-fill  Fills holes  inpainting (needs --mask)  1x     built-in");
    }
}
