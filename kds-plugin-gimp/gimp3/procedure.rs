//! A procedure of GIMP 3: its arguments are the properties of a configuration.

use std::ffi::{CStr, c_char, c_double, c_int, c_void};
use std::ptr::{null, null_mut};

use kds_plugin_gimp::argument::{Argument, Choice, Kind, arguments};
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
use kds_plugin_gimp::translation::tr;

use crate::{Opened, opened};

type Pointer = *mut c_void;
type Text = *const c_char;

/// `GimpRunImageFunc`: the procedure, run mode, image, its chosen drawables (to null), configuration, and our own data.
type Run = unsafe extern "C" fn(Pointer, c_int, Pointer, *const Pointer, Pointer, Pointer) -> Pointer;

/// `G_PARAM_READWRITE`
const READ_AND_WRITE: c_int = 3;
/// `GIMP_PROCEDURE_SENSITIVE_DRAWABLE`
const ONE_DRAWABLE: c_int = 1;
/// `GIMP_PROCEDURE_SENSITIVE_DRAWABLES`
const SEVERAL_DRAWABLES: c_int = 4;
/// `GIMP_PDB_EXECUTION_ERROR`
const EXECUTION_ERROR: c_int = 0;
/// `GIMP_PDB_SUCCESS`
const SUCCESS: c_int = 3;
/// `GIMP_PDB_CANCEL`
const CANCEL: c_int = 4;

functions! {
    /// Functions that describe a procedure and its return values.
    Functions {
        gimp_image_procedure_new(Pointer, Text, c_int, Run, Pointer, Pointer) -> Pointer;
        gimp_procedure_set_image_types(Pointer, Text);
        gimp_procedure_set_sensitivity_mask(Pointer, c_int);
        gimp_procedure_set_menu_label(Pointer, Text);
        gimp_procedure_add_menu_path(Pointer, Text);
        gimp_procedure_set_documentation(Pointer, Text, Text, Text);
        gimp_procedure_set_attribution(Pointer, Text, Text, Text);
        gimp_procedure_add_string_argument(Pointer, Text, Text, Text, Text, c_int);
        gimp_procedure_add_int_argument(Pointer, Text, Text, Text, c_int, c_int, c_int, c_int);
        gimp_procedure_add_double_argument(Pointer, Text, Text, Text, c_double, c_double, c_double, c_int);
        gimp_procedure_add_boolean_argument(Pointer, Text, Text, Text, c_int, c_int);
        gimp_procedure_add_choice_argument(Pointer, Text, Text, Text, Pointer, Text, c_int);
        gimp_procedure_add_image_return_value(Pointer, Text, Text, Text, c_int, c_int);
        gimp_procedure_add_layer_return_value(Pointer, Text, Text, Text, c_int, c_int);
        gimp_procedure_new_return_values(Pointer, c_int, Pointer) -> Pointer;
        gimp_procedure_get_name(Pointer) -> Text;
        gimp_choice_new() -> Pointer;
        gimp_choice_add(Pointer, Text, c_int, Text, Text);
        gimp_value_array_index(Pointer, c_int) -> Pointer;
        gimp_plug_in_error_quark() -> u32;
        g_value_set_object(Pointer, Pointer);
        g_error_new_literal(u32, c_int, Text) -> Pointer;
        g_object_get(Pointer, Text; ...);
        g_object_set(Pointer, Text; ...);
        g_free(Pointer);
    }
}

impl Functions {
    /// The description of a task's procedure.
    ///
    /// # Safety
    /// `plug_in` is the plug-in that GIMP asks.
    pub unsafe fn create(&self, plug_in: Pointer, task: Task) -> Pointer {
        const PLUGIN: c_int = 1;
        let name = text(task.procedure());
        let [blurb, help, label] = [task.blurb(), task.help(), task.menu_label()].map(|message| text(&tr(message)));
        let [authors, copyright, date, types, menu] = [AUTHORS, COPYRIGHT, DATE, IMAGE_TYPES, MENU].map(text);
        // SAFETY: the texts live through the calls, and libgimp copies them.
        unsafe {
            let new = (self.gimp_image_procedure_new)(plug_in, name.as_ptr(), PLUGIN, run, null_mut(), null_mut());
            (self.gimp_procedure_set_image_types)(new, types.as_ptr());
            (self.gimp_procedure_set_sensitivity_mask)(new, ONE_DRAWABLE | SEVERAL_DRAWABLES);
            (self.gimp_procedure_set_menu_label)(new, label.as_ptr());
            (self.gimp_procedure_add_menu_path)(new, menu.as_ptr());
            (self.gimp_procedure_set_documentation)(new, blurb.as_ptr(), help.as_ptr(), name.as_ptr());
            (self.gimp_procedure_set_attribution)(new, authors.as_ptr(), copyright.as_ptr(), date.as_ptr());
            for argument in arguments() {
                self.add_argument(new, &argument);
            }
            for (add, name, title, help) in [
                (
                    self.gimp_procedure_add_image_return_value,
                    c"result-image",
                    c"Image",
                    c"The image that holds the result",
                ),
                (
                    self.gimp_procedure_add_layer_return_value,
                    c"result-layer",
                    c"Layer",
                    c"The layer that holds the result",
                ),
            ] {
                add(new, name.as_ptr(), title.as_ptr(), help.as_ptr(), 0, READ_AND_WRITE);
            }
            new
        }
    }

    /// # Safety
    /// `procedure` is a procedure.
    unsafe fn add_argument(&self, procedure: Pointer, argument: &Argument) {
        let (name, label, help) = (text(argument.name), text(&tr(argument.label)), text(&argument.help_for_scripts()));
        let (name, label, help) = (name.as_ptr(), label.as_ptr(), help.as_ptr());
        // SAFETY: by the contract of this function; the texts live through the calls.
        unsafe {
            match argument.kind {
                Kind::Text { default } => {
                    let default = text(default);
                    (self.gimp_procedure_add_string_argument)(
                        procedure,
                        name,
                        label,
                        help,
                        default.as_ptr(),
                        READ_AND_WRITE,
                    );
                }
                Kind::Integer { min, max, default } => (self.gimp_procedure_add_int_argument)(
                    procedure,
                    name,
                    label,
                    help,
                    min,
                    max,
                    default,
                    READ_AND_WRITE,
                ),
                Kind::Number { min, max, default } => (self.gimp_procedure_add_double_argument)(
                    procedure,
                    name,
                    label,
                    help,
                    min,
                    max,
                    default,
                    READ_AND_WRITE,
                ),
                Kind::Switch => {
                    (self.gimp_procedure_add_boolean_argument)(procedure, name, label, help, 0, READ_AND_WRITE)
                }
                Kind::Choice(choices) => {
                    let choice = (self.gimp_choice_new)();
                    for (id, Choice { name, title }) in choices.iter().enumerate() {
                        let (name, title) = (text(name), text(&tr(title)));
                        (self.gimp_choice_add)(choice, name.as_ptr(), id as c_int, title.as_ptr(), null());
                    }
                    let first = text(choices.first().map_or("", |choice| choice.name));
                    (self.gimp_procedure_add_choice_argument)(
                        procedure,
                        name,
                        label,
                        help,
                        choice,
                        first.as_ptr(),
                        READ_AND_WRITE,
                    );
                }
            }
        }
    }

    /// # Safety
    /// `configuration` is one of our procedures.
    unsafe fn read(&self, configuration: Pointer) -> Settings {
        let mut settings = Settings::default();
        for (argument, value) in settings.iter_mut() {
            let name = text(argument.name);
            // SAFETY: by the contract of this function the property has the type of its kind.
            unsafe {
                *value = match argument.kind {
                    Kind::Text { .. } => Value::Text(self.read_text(configuration, &name)),
                    Kind::Choice(choices) => {
                        let chosen = self.read_text(configuration, &name);
                        let position = choices.iter().position(|choice| choice.name == chosen);
                        Value::Integer(position.unwrap_or(0) as i32)
                    }
                    Kind::Integer { .. } | Kind::Switch => {
                        let mut integer: c_int = 0;
                        let place: *mut c_int = &mut integer;
                        (self.g_object_get)(configuration, name.as_ptr(), place, null::<c_void>());
                        Value::Integer(integer)
                    }
                    Kind::Number { .. } => {
                        let mut number: c_double = 0.0;
                        let place: *mut c_double = &mut number;
                        (self.g_object_get)(configuration, name.as_ptr(), place, null::<c_void>());
                        Value::Number(number)
                    }
                }
            }
        }
        settings
    }

    /// # Safety
    /// The object has a property of this name that is a text.
    unsafe fn read_text(&self, object: Pointer, name: &CStr) -> String {
        let mut value: *mut c_char = null_mut();
        let place: *mut *mut c_char = &mut value;
        // SAFETY: by the contract of this function; the text is ours to free.
        unsafe {
            (self.g_object_get)(object, name.as_ptr(), place, null::<c_void>());
            if value.is_null() {
                return String::new();
            }
            let copy = CStr::from_ptr(value).to_string_lossy().into_owned();
            (self.g_free)(value.cast());
            copy
        }
    }

    /// # Safety
    /// `configuration` is one of our procedures.
    unsafe fn write(&self, configuration: Pointer, settings: &Settings) {
        for (argument, value) in settings.iter() {
            let name = text(argument.name);
            // SAFETY: by the contract of this function the property has the type of its kind; texts are copied.
            unsafe {
                match (argument.kind, value) {
                    (Kind::Choice(choices), Value::Integer(chosen)) => {
                        let chosen = usize::try_from(*chosen).ok().and_then(|chosen| choices.get(chosen));
                        let chosen = text(chosen.map_or("", |choice| choice.name));
                        (self.g_object_set)(configuration, name.as_ptr(), chosen.as_ptr(), null::<c_void>());
                    }
                    (_, Value::Integer(value)) => {
                        (self.g_object_set)(configuration, name.as_ptr(), *value, null::<c_void>());
                    }
                    (_, Value::Number(value)) => {
                        (self.g_object_set)(configuration, name.as_ptr(), *value, null::<c_void>());
                    }
                    (_, Value::Text(value)) => {
                        let value = text(value);
                        (self.g_object_set)(configuration, name.as_ptr(), value.as_ptr(), null::<c_void>());
                    }
                }
            }
        }
    }
}

unsafe extern "C" fn run(
    procedure: Pointer,
    mode: c_int,
    _image: Pointer,
    layers: *const Pointer,
    configuration: Pointer,
    _: Pointer,
) -> Pointer {
    // SAFETY: GIMP gives what the type of this function says.
    let restore = || unsafe { restore(procedure, RunMode::of(mode), layers, configuration) };
    let outcome = guard(restore, |message| Err(Failure::Message(message)));
    let Ok(Opened { procedures, .. }) = opened() else { return null_mut() };
    // SAFETY: the procedure's own results, whose types are those of its description.
    unsafe {
        match outcome {
            Ok((image, layer)) => {
                let values = (procedures.gimp_procedure_new_return_values)(procedure, SUCCESS, null_mut());
                for (index, object) in [(1, image), (2, layer)] {
                    (procedures.g_value_set_object)((procedures.gimp_value_array_index)(values, index), object);
                }
                values
            }
            Err(Failure::Cancelled) => (procedures.gimp_procedure_new_return_values)(procedure, CANCEL, null_mut()),
            // GIMP shows the message to the person, and gives it to a script.
            Err(Failure::Message(message)) => {
                let domain = (procedures.gimp_plug_in_error_quark)();
                let error = (procedures.g_error_new_literal)(domain, 0, text(&message).as_ptr());
                (procedures.gimp_procedure_new_return_values)(procedure, EXECUTION_ERROR, error)
            }
        }
    }
}

/// # Safety
/// The arguments are those that GIMP gives to a [`Run`] of ours.
unsafe fn restore(
    procedure: Pointer,
    mode: RunMode,
    layers: *const Pointer,
    configuration: Pointer,
) -> Result<(Pointer, Pointer), Failure> {
    let Opened { library, procedures, .. } = opened()?;
    // SAFETY: by the contract of this function; the list of layers ends with null.
    let (name, layers) = unsafe {
        let name = CStr::from_ptr((procedures.gimp_procedure_get_name)(procedure)).to_string_lossy();
        let mut count = 0;
        while !layers.is_null() && !(*layers.add(count)).is_null() {
            count += 1;
        }
        (name, if count == 0 { &[][..] } else { std::slice::from_raw_parts(layers, count) })
    };
    let task = Task::of_procedure(&name).ok_or_else(|| Failure::new(format!("there is no procedure {name}")))?;
    let remembered = remembered::Functions::load(library)?;
    let mut settings = match mode {
        // SAFETY: by the contract of this function.
        RunMode::NonInteractive => unsafe { procedures.read(configuration) },
        _ => remembered.recall(task),
    };
    let remember = |settings: &Settings| remembered.remember(task, settings);
    let placed = procedure::run(&Gimp::new(library)?, start_gtk, task, mode, layers, &mut settings, remember)?;
    if mode == RunMode::Interactive {
        // GIMP keeps the configuration beside its history of filters.
        // SAFETY: by the contract of this function.
        unsafe { procedures.write(configuration, &settings) };
    }
    Ok((placed.image, placed.layer))
}

fn start_gtk() -> Result<Gtk, Failure> {
    functions! {
        /// Starts GTK 3 with GIMP's theme.
        Start {
            gimp_ui_init(*const c_char);
        }
    }
    let library = Library::open("libgimpui-3.0.so.0")?;
    let start = Start::load(&library)?;
    // SAFETY: takes a name.
    unsafe { (start.gimp_ui_init)(c"kds".as_ptr()) };
    Gtk::load(&library)
}
