//! The plug-in for GIMP 3: a class of GObject, whose procedures have configurations that GIMP itself remembers.

mod object;
mod procedure;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::process::ExitCode;
use std::ptr::null_mut;
use std::sync::OnceLock;

use kds_host::threads;
use kds_plugin_gimp::failure::Failure;
use kds_plugin_gimp::functions;
use kds_plugin_gimp::gimp::text;
use kds_plugin_gimp::guard::guard;
use kds_plugin_gimp::symbols::Library;
use kds_plugin_gimp::task::Task;
use kds_plugin_gimp::translation;
use object::{PlugInClass, TypeQuery};

type Pointer = *mut c_void;

functions! {
    /// Start of a plug-in of GIMP 3.
    Functions {
        gimp_main(usize, c_int, *mut *mut c_char) -> c_int;
        gimp_plug_in_get_type() -> usize;
        g_type_query(usize, *mut TypeQuery);
        g_type_register_static_simple(
            usize, *const c_char, c_uint, unsafe extern "C" fn(*mut PlugInClass, Pointer), c_uint, Pointer, c_uint
        ) -> usize;
        g_list_append(Pointer, Pointer) -> Pointer;
        g_strdup(*const c_char) -> *mut c_char;
    }
}

/// The libgimp that this process was started by.
struct Opened {
    library: Library,
    functions: Functions,
    procedures: procedure::Functions,
}

static OPENED: OnceLock<Opened> = OnceLock::new();

fn opened() -> Result<&'static Opened, Failure> {
    OPENED.get().ok_or_else(|| Failure::new("the plug-in was not started by GIMP"))
}

fn main() -> ExitCode {
    // SAFETY: nothing has happened yet.
    unsafe { threads::wait_asleep() };
    let library = Library::open("libgimp-3.0.so.0").and_then(|library| {
        let (functions, procedures) = (Functions::load(&library)?, procedure::Functions::load(&library)?);
        Ok(Opened { library, functions, procedures })
    });
    match library {
        Ok(library) => start(&OPENED.get_or_init(|| library).functions),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn start(functions: &Functions) -> ExitCode {
    translation::start();
    let arguments: Vec<CString> = std::env::args().map(|argument| text(&argument)).collect();
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
    let count = pointers.len() as c_int;
    pointers.push(null_mut());
    // SAFETY: a class like its parent, with other functions; the arguments live as long as the call.
    let code = unsafe {
        let parent = (functions.gimp_plug_in_get_type)();
        let mut sizes = TypeQuery::default();
        (functions.g_type_query)(parent, &mut sizes);
        let class = (functions.g_type_register_static_simple)(
            parent,
            c"KdsPlugIn".as_ptr(),
            sizes.class_size,
            initialise_class,
            sizes.instance_size,
            null_mut(),
            0,
        );
        (functions.gimp_main)(class, count, pointers.as_mut_ptr())
    };
    ExitCode::from(u8::from(code != 0))
}

unsafe extern "C" fn initialise_class(class: *mut PlugInClass, _: Pointer) {
    // SAFETY: GObject gives the class, which is as large as that of libgimp.
    let class = unsafe { &mut *class };
    class.query_procedures = Some(query);
    class.create_procedure = Some(create);
    class.set_i18n = Some(no_translation);
}

/// The names of the procedures.
unsafe extern "C" fn query(_: Pointer) -> Pointer {
    let list = || {
        let Ok(Opened { functions, .. }) = opened() else { return null_mut() };
        // SAFETY: the list takes over the copies.
        Task::ALL.into_iter().fold(null_mut(), |list, task| unsafe {
            (functions.g_list_append)(list, (functions.g_strdup)(text(task.procedure()).as_ptr()).cast())
        })
    };
    guard(list, |message| {
        eprintln!("{message}");
        null_mut()
    })
}

/// The procedure of this name.
unsafe extern "C" fn create(plug_in: Pointer, name: *const c_char) -> Pointer {
    let create = || {
        // SAFETY: GIMP gives a text.
        let task = Task::of_procedure(unsafe { CStr::from_ptr(name) }.to_str().ok()?)?;
        let Opened { procedures, .. } = opened().ok()?;
        // SAFETY: GIMP gives its plug-in.
        Some(unsafe { procedures.create(plug_in, task) })
    };
    guard(create, |message| {
        eprintln!("{message}");
        None
    })
    .unwrap_or(null_mut())
}

/// libgimp takes catalogues only from the plug-in's own folder; ours are in the installation, and texts are given to it in the
/// language of the person.
unsafe extern "C" fn no_translation(_: Pointer, _: *const c_char, _: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    0
}
