//! The plug-in for GIMP 2.10: images and layers are numbers, arguments an array, and what is remembered a parasite.

mod wire;

use std::ffi::{CString, c_char, c_int};
use std::process::ExitCode;
use std::ptr::null_mut;
use std::sync::OnceLock;

use kds_host::threads;
use kds_plugin_gimp::argument::{Kind, arguments};
use kds_plugin_gimp::failure::Failure;
use kds_plugin_gimp::functions;
use kds_plugin_gimp::gimp::{Gimp, text};
use kds_plugin_gimp::gtk::Gtk;
use kds_plugin_gimp::guard::guard;
use kds_plugin_gimp::procedure::{self, RunMode};
use kds_plugin_gimp::remembered;
use kds_plugin_gimp::settings::{Settings, Value};
use kds_plugin_gimp::symbols::Library;
use kds_plugin_gimp::task::{AUTHORS, COPYRIGHT, DATE, IMAGE_TYPES, MENU, Task};
use kds_plugin_gimp::translation::{self, DOMAIN};
use wire::{Param, ParamDef, PlugInInfo, Type};

functions! {
    /// Functions of GIMP 2.10 alone.
    Functions {
        gimp_main(*const PlugInInfo, c_int, *mut *mut c_char) -> c_int;
        gimp_install_procedure(
            *const c_char, *const c_char, *const c_char, *const c_char, *const c_char, *const c_char, *const c_char,
            *const c_char, c_int, c_int, c_int, *const ParamDef, *const ParamDef
        );
        gimp_plugin_menu_register(*const c_char, *const c_char) -> c_int;
        gimp_plugin_domain_register(*const c_char, *const c_char);
    }
}

static LIBRARY: OnceLock<(Library, Functions)> = OnceLock::new();
static INFO: PlugInInfo = PlugInInfo { init: None, quit: None, query: Some(query), run: Some(run) };

fn main() -> ExitCode {
    // SAFETY: nothing has happened yet.
    unsafe { threads::wait_asleep() };
    let opened = Library::open("libgimp-2.0.so.0").and_then(|library| {
        let functions = Functions::load(&library)?;
        Ok((library, functions))
    });
    match opened {
        Ok(opened) => {
            let (_, functions) = LIBRARY.get_or_init(|| opened);
            let arguments: Vec<CString> = std::env::args().map(|argument| text(&argument)).collect();
            let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
            let count = pointers.len() as c_int;
            pointers.push(null_mut());
            // SAFETY: the description and the arguments live as long as the call.
            let code = unsafe { (functions.gimp_main)(&INFO, count, pointers.as_mut_ptr()) };
            ExitCode::from(u8::from(code != 0))
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Tells GIMP what there is. Nothing but libgimp is loaded for that.
unsafe extern "C" fn query() {
    let register = || {
        let Some((_, functions)) = LIBRARY.get() else { return };
        if let Some(folder) = translation::folder() {
            let (domain, folder) = (text(DOMAIN), text(&folder.to_string_lossy()));
            // SAFETY: the texts live through the call. GIMP itself translates labels and descriptions by it.
            unsafe { (functions.gimp_plugin_domain_register)(domain.as_ptr(), folder.as_ptr()) };
        }
        for task in Task::ALL {
            register(functions, task);
        }
    };
    guard(register, |message| eprintln!("{message}"));
}

fn register(functions: &Functions, task: Task) {
    let mut texts = Vec::new();
    let mut definition = |kind: Type, name: &str, help: &str| {
        let (name, help) = (text(name), text(help));
        let definition = ParamDef { kind, name: name.as_ptr(), description: help.as_ptr() };
        texts.extend([name, help]);
        definition
    };
    let mut parameters = vec![
        definition(
            Type::INT32,
            "run-mode",
            "Whether to ask: RUN-INTERACTIVE (0), RUN-NONINTERACTIVE (1), RUN-WITH-LAST-VALS (2)",
        ),
        definition(Type::IMAGE, "image", "The image"),
        definition(Type::DRAWABLE, "drawable", "The layer"),
    ];
    for argument in arguments() {
        let kind = match argument.kind {
            Kind::Text { .. } => Type::STRING,
            Kind::Integer { .. } | Kind::Choice(_) | Kind::Switch => Type::INT32,
            Kind::Number { .. } => Type::FLOAT,
        };
        parameters.push(definition(kind, argument.name, &argument.help_for_scripts()));
    }
    let results = [
        definition(Type::IMAGE, "result-image", "The image that holds the result"),
        definition(Type::LAYER, "result-layer", "The layer that holds the result"),
    ];
    const PLUGIN: c_int = 1;
    let procedure = text(task.procedure());
    let [blurb, help, authors, copyright, date, label, types, menu] =
        [task.blurb(), task.help(), AUTHORS, COPYRIGHT, DATE, task.menu_label(), IMAGE_TYPES, MENU].map(text);
    // SAFETY: all texts and definitions live through the calls, and their numbers are right.
    unsafe {
        (functions.gimp_install_procedure)(
            procedure.as_ptr(),
            blurb.as_ptr(),
            help.as_ptr(),
            authors.as_ptr(),
            copyright.as_ptr(),
            date.as_ptr(),
            label.as_ptr(),
            types.as_ptr(),
            PLUGIN,
            parameters.len() as c_int,
            results.len() as c_int,
            parameters.as_ptr(),
            results.as_ptr(),
        );
        (functions.gimp_plugin_menu_register)(procedure.as_ptr(), menu.as_ptr());
    }
}

unsafe extern "C" fn run(
    name: *const c_char,
    count: c_int,
    params: *const Param,
    result_count: *mut c_int,
    results: *mut *mut Param,
) {
    // SAFETY: GIMP gives the name and the arguments of the procedure.
    let outcome = guard(|| unsafe { restore(name, count, params) }, |message| Err(Failure::Message(message)));
    let values = match outcome {
        Ok((image, layer)) => vec![wire::status(wire::SUCCESS), wire::image(image), wire::layer(layer)],
        Err(Failure::Cancelled) => vec![wire::status(wire::CANCEL)],
        // GIMP shows the message to the person, and gives it to a script.
        Err(Failure::Message(message)) => vec![wire::status(wire::EXECUTION_ERROR), wire::string(text(&message))],
    };
    // GIMP reads them after this returns, and the process ends then.
    let values = values.leak();
    // SAFETY: GIMP gives two places to write to.
    unsafe {
        *result_count = values.len() as c_int;
        *results = values.as_mut_ptr();
    }
}

/// # Safety
/// `name` is a text and `params` that many arguments.
unsafe fn restore(name: *const c_char, count: c_int, params: *const Param) -> Result<(i32, i32), Failure> {
    let (library, _) = LIBRARY.get().ok_or_else(|| Failure::new("the plug-in was not started by GIMP"))?;
    // SAFETY: by the contract of this function.
    let (name, params) = unsafe {
        let count = usize::try_from(count).unwrap_or(0);
        (wire::read(name), if count == 0 { &[][..] } else { std::slice::from_raw_parts(params, count) })
    };
    let task = Task::of_procedure(&name).ok_or_else(|| Failure::new(format!("there is no procedure {name}")))?;
    let [mode, _, layer, params @ ..] = params else {
        return Err(Failure::new(format!("{name} needs a run mode, an image and a layer")));
    };
    // SAFETY: of this type by the definition of the procedure.
    let (mode, layer) = unsafe { (RunMode::of(mode.data.integer), layer.data.integer) };
    translation::start();
    let gimp = Gimp::new(library)?;
    let remembered = remembered::Functions::load(library)?;
    let mut settings = match mode {
        // SAFETY: the arguments have the types of the definition.
        RunMode::NonInteractive => unsafe { settings_of(params) }?,
        _ => remembered.recall(task),
    };
    let remember = |settings: &Settings| remembered.remember(task, settings);
    let placed = procedure::run(&gimp, start_gtk, task, mode, &[layer], &mut settings, remember)?;
    Ok((placed.image, placed.layer))
}

/// # Safety
/// The arguments have the types of the definition.
unsafe fn settings_of(params: &[Param]) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    let (expected, given) = (settings.iter().count(), params.len());
    if given > expected {
        return Err(Failure::new(format!("there are {expected} arguments after the layer, {given} were given")));
    }
    for ((_, value), Param { data, .. }) in settings.iter_mut().zip(params) {
        // SAFETY: by the contract of this function.
        unsafe {
            *value = match value {
                Value::Text(_) => Value::Text(wire::read(data.string)),
                Value::Integer(_) => Value::Integer(data.integer),
                Value::Number(_) => Value::Number(data.number),
            };
        }
    }
    Ok(settings)
}

fn start_gtk() -> Result<Gtk, Failure> {
    functions! {
        /// Starts GTK 2 with GIMP's theme.
        Start {
            gimp_ui_init(*const c_char, c_int);
        }
    }
    let library = Library::open("libgimpui-2.0.so.0")?;
    let start = Start::load(&library)?;
    // SAFETY: takes a name, and whether there will be a preview.
    unsafe { (start.gimp_ui_init)(c"kds".as_ptr(), 0) };
    Gtk::load(&library)
}
