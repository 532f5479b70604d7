//! The interface of GEGL's plug-ins (GEGL 0.4, GLib 2), as its public headers lay it out. A test compares the layouts with those
//! that a C compiler makes of the headers.

use std::ffi::{c_char, c_double, c_int, c_uint, c_void};
use std::sync::OnceLock;

/// Version of the interface, `GEGL_MODULE_ABI_VERSION`.
pub const MODULE_ABI_VERSION: u32 = 0xA;

/// `G_PARAM_READWRITE | G_PARAM_CONSTRUCT`, and `GEGL_PARAM_PAD_INPUT` as all properties of GEGL's own operations have it.
pub const PROPERTY_FLAGS: c_uint = 1 | 2 | 4 | 1 << 9;

/// Bits of [`OperationClass::flags`]: GEGL may write into the input's buffer; GEGL may cut the picture for its threads.
pub const WANT_IN_PLACE: u64 = 1 << 2;
pub const THREADED: u64 = 1 << 3;

/// `G_LOG_LEVEL_MESSAGE`: for the person, no defect of the program.
pub const LEVEL_MESSAGE: c_int = 1 << 5;

/// `GType`
pub type Type = usize;
/// `GValue`, `GParamSpec`, `GTypeModule`, `GModule`, `GeglBuffer`, `Babl`: known by their addresses only.
pub type Pointer = *mut c_void;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rectangle {
    pub x: c_int,
    pub y: c_int,
    pub width: c_int,
    pub height: c_int,
}

#[repr(C)]
pub struct ModuleInfo {
    pub abi_version: u32,
}

#[repr(C)]
pub struct TypeInfo {
    pub class_size: u16,
    pub base_init: Pointer,
    pub base_finalize: Pointer,
    pub class_init: unsafe extern "C" fn(Pointer, Pointer),
    pub class_finalize: Pointer,
    pub class_data: Pointer,
    pub instance_size: u16,
    pub n_preallocs: u16,
    pub instance_init: unsafe extern "C" fn(*mut Operation, Pointer),
    pub value_table: Pointer,
}

#[repr(C)]
#[derive(Default)]
pub struct TypeQuery {
    pub of: Type,
    pub name: usize,
    pub class_size: c_uint,
    pub instance_size: c_uint,
}

#[repr(C)]
pub struct EnumValue {
    pub value: c_int,
    pub name: *const c_char,
    pub nick: *const c_char,
}

/// `GeglOperation`: a `GObject` and its node.
#[repr(C)]
pub struct Operation {
    _object: [usize; 3],
    _node: Pointer,
}

/// `GObjectClass`; arrays stand for what is not used here.
#[repr(C)]
pub struct ObjectClass {
    /// `g_type_class`, `construct_properties`, `constructor`
    _type: [Pointer; 3],
    pub set_property: unsafe extern "C" fn(*mut Operation, c_uint, Pointer, Pointer),
    pub get_property: unsafe extern "C" fn(*mut Operation, c_uint, Pointer, Pointer),
    _dispose: Pointer,
    pub finalize: Option<unsafe extern "C" fn(*mut Operation)>,
    /// `dispatch_properties_changed` to `pdummy`
    _more: [Pointer; 10],
}

/// `GeglOperationClass`
#[repr(C)]
pub struct OperationClass {
    pub object: ObjectClass,
    /// `name`, `compat_name`, `keys`
    _names: [Pointer; 3],
    /// Bit fields, `no_cache` to `bit_pad`.
    pub flags: u64,
    _attach: Pointer,
    pub prepare: unsafe extern "C" fn(*mut Operation),
    pub get_bounding_box: unsafe extern "C" fn(*mut Operation) -> Rectangle,
    pub get_invalidated_by_change: unsafe extern "C" fn(*mut Operation, *const c_char, *const Rectangle) -> Rectangle,
    pub get_required_for_output: unsafe extern "C" fn(*mut Operation, *const c_char, *const Rectangle) -> Rectangle,
    pub get_cached_region: unsafe extern "C" fn(*mut Operation, *const Rectangle) -> Rectangle,
    /// `process` to `pad`
    _more: [Pointer; 12],
}

/// `GeglOperationFilterClass`
#[repr(C)]
pub struct FilterClass {
    pub operation: OperationClass,
    pub process: unsafe extern "C" fn(*mut Operation, Pointer, Pointer, *const Rectangle, c_int) -> c_int,
    /// `get_split_strategy`, `pad`
    _more: [Pointer; 4],
}

/// `GeglOperationComposerClass`
#[repr(C)]
pub struct ComposerClass {
    pub operation: OperationClass,
    pub process: unsafe extern "C" fn(*mut Operation, Pointer, Pointer, Pointer, *const Rectangle, c_int) -> c_int,
    pub aux_label: *const c_char,
    pub aux_description: *const c_char,
    _more: [Pointer; 2],
}

macro_rules! functions {
    ($($name:ident($($argument:ty),* $(; $dots:tt)?) $(-> $result:ty)?;)*) => {
        /// Functions of GEGL, babl, GObject and GModule.
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),* $(, $dots)?) $(-> $result)?,)*
        }

        impl Functions {
            fn load() -> Result<Self, String> {
                let host = libloading::os::unix::Library::this();
                // SAFETY: a library that the program has loaded already, if it is one that can load this plug-in.
                let gegl = unsafe { libloading::os::unix::Library::new("libgegl-0.4.so.0") };
                let functions = Self {
                    $($name: {
                        let name = stringify!($name);
                        // SAFETY: the types in this table are those of the C headers.
                        let of_host = unsafe { host.get::<unsafe extern "C" fn($($argument),* $(, $dots)?) $(-> $result)?>(name) };
                        match (of_host, &gegl) {
                            (Ok(function), _) => *function,
                            // Where a program has loaded GEGL for itself alone.
                            // SAFETY: as above.
                            (Err(_), Ok(gegl)) => *unsafe { gegl.get(name) }.map_err(|_| missing(name))?,
                            _ => return Err(missing(name)),
                        }
                    },)*
                };
                // The functions outlive everything.
                std::mem::forget(gegl);
                Ok(functions)
            }
        }
    };
}

functions! {
    g_module_make_resident(Pointer);
    g_log(*const c_char, c_int, *const c_char; ...);
    g_type_module_register_type(Pointer, Type, *const c_char, *const TypeInfo, c_uint) -> Type;
    g_type_query(Type, *mut TypeQuery);
    g_type_class_peek_parent(Pointer) -> Pointer;
    g_object_class_install_property(Pointer, c_uint, Pointer);
    g_enum_register_static(*const c_char, *const EnumValue) -> Type;
    g_param_spec_int(*const c_char, *const c_char, *const c_char, c_int, c_int, c_int, c_uint) -> Pointer;
    g_param_spec_double(*const c_char, *const c_char, *const c_char, c_double, c_double, c_double, c_uint) -> Pointer;
    g_param_spec_string(*const c_char, *const c_char, *const c_char, *const c_char, c_uint) -> Pointer;
    g_param_spec_enum(*const c_char, *const c_char, *const c_char, Type, c_int, c_uint) -> Pointer;
    gegl_param_spec_seed(*const c_char, *const c_char, *const c_char, c_uint) -> Pointer;
    g_value_get_int(Pointer) -> c_int;
    g_value_get_uint(Pointer) -> c_uint;
    g_value_get_double(Pointer) -> c_double;
    g_value_get_string(Pointer) -> *const c_char;
    g_value_get_enum(Pointer) -> c_int;
    g_value_set_int(Pointer, c_int);
    g_value_set_uint(Pointer, c_uint);
    g_value_set_double(Pointer, c_double);
    g_value_set_string(Pointer, *const c_char);
    g_value_set_enum(Pointer, c_int);
    gegl_operation_filter_get_type() -> Type;
    gegl_operation_composer_get_type() -> Type;
    gegl_operation_class_set_key(Pointer, *const c_char, *const c_char);
    gegl_operation_set_format(*mut Operation, *const c_char, Pointer);
    gegl_operation_get_source_format(*mut Operation, *const c_char) -> Pointer;
    gegl_operation_source_get_bounding_box(*mut Operation, *const c_char) -> *const Rectangle;
    gegl_operation_progress(*mut Operation, c_double, *const c_char);
    gegl_rectangle_is_infinite_plane(*const Rectangle) -> c_int;
    gegl_buffer_get(Pointer, *const Rectangle, c_double, Pointer, Pointer, c_int, c_int);
    gegl_buffer_set(Pointer, *const Rectangle, c_int, Pointer, *const c_void, c_int);
    babl_format_with_space(*const c_char, Pointer) -> Pointer;
    babl_format_get_n_components(Pointer) -> c_int;
    babl_format_is_palette(Pointer) -> c_int;
}

fn missing(name: &str) -> String {
    format!("this program has no function {name}: its GEGL is older or newer than those that KDS knows")
}

/// The functions, looked up once.
///
/// # Errors
/// Names the function that is not there.
pub fn functions() -> Result<&'static Functions, String> {
    static FUNCTIONS: OnceLock<Result<Functions, String>> = OnceLock::new();
    FUNCTIONS.get_or_init(Functions::load).as_ref().map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::process::Command;

    use super::*;

    /// Numbers of C expressions, which a program of them prints.
    fn of_headers(expressions: &[&str]) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("layout.c"), folder.path().join("layout"));
        let prints: String =
            expressions.iter().map(|e| format!("  printf (\"%llu\\n\", (unsigned long long) ({e}));\n")).collect();
        let text = format!(
            "#include <stddef.h>\n#include <stdio.h>\n#include <string.h>\n#include <gegl.h>\n#include <gegl-plugin.h>\n\
             static unsigned long long bits (const GeglOperationClass *c)\n{{\n  unsigned long long word;\n  \
             memcpy (&word, (const char *) &c->keys + sizeof c->keys, sizeof word);\n  return word;\n}}\n\
             int main (void)\n{{\n  GeglOperationClass threaded = {{ .threaded = 1 }}, in_place = {{ .want_in_place = 1 }};\n{prints}  return 0;\n}}\n"
        );
        std::fs::write(&source, text).unwrap();
        let flags = Command::new("pkg-config").args(["--cflags", "--libs", "gegl-0.4"]).output().unwrap();
        assert!(flags.status.success(), "no gegl-0.4 (libgegl-dev): {}", String::from_utf8_lossy(&flags.stderr));
        let flags = String::from_utf8(flags.stdout).unwrap();
        let mut compile = Command::new("cc");
        let output = compile.arg(&source).arg("-o").arg(&program).args(flags.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = Command::new(program).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| line.parse().unwrap()).collect()
    }

    #[test]
    fn layouts_are_those_of_the_headers() {
        let ours = [
            ("sizeof (GeglRectangle)", size_of::<Rectangle>()),
            ("sizeof (GeglModuleInfo)", size_of::<ModuleInfo>()),
            ("sizeof (GTypeInfo)", size_of::<TypeInfo>()),
            ("offsetof (GTypeInfo, class_init)", offset_of!(TypeInfo, class_init)),
            ("offsetof (GTypeInfo, class_data)", offset_of!(TypeInfo, class_data)),
            ("offsetof (GTypeInfo, instance_size)", offset_of!(TypeInfo, instance_size)),
            ("offsetof (GTypeInfo, n_preallocs)", offset_of!(TypeInfo, n_preallocs)),
            ("offsetof (GTypeInfo, instance_init)", offset_of!(TypeInfo, instance_init)),
            ("sizeof (GTypeQuery)", size_of::<TypeQuery>()),
            ("offsetof (GTypeQuery, class_size)", offset_of!(TypeQuery, class_size)),
            ("offsetof (GTypeQuery, instance_size)", offset_of!(TypeQuery, instance_size)),
            ("sizeof (GEnumValue)", size_of::<EnumValue>()),
            ("offsetof (GEnumValue, value_name)", offset_of!(EnumValue, name)),
            ("offsetof (GEnumValue, value_nick)", offset_of!(EnumValue, nick)),
            ("sizeof (GeglOperation)", size_of::<Operation>()),
            ("sizeof (GeglOperationFilter)", size_of::<Operation>()),
            ("sizeof (GeglOperationComposer)", size_of::<Operation>()),
            ("sizeof (GObjectClass)", size_of::<ObjectClass>()),
            ("offsetof (GObjectClass, set_property)", offset_of!(ObjectClass, set_property)),
            ("offsetof (GObjectClass, get_property)", offset_of!(ObjectClass, get_property)),
            ("offsetof (GObjectClass, finalize)", offset_of!(ObjectClass, finalize)),
            ("sizeof (GeglOperationClass)", size_of::<OperationClass>()),
            ("offsetof (GeglOperationClass, keys) + sizeof (GHashTable *)", offset_of!(OperationClass, flags)),
            ("offsetof (GeglOperationClass, prepare)", offset_of!(OperationClass, prepare)),
            ("offsetof (GeglOperationClass, get_bounding_box)", offset_of!(OperationClass, get_bounding_box)),
            (
                "offsetof (GeglOperationClass, get_invalidated_by_change)",
                offset_of!(OperationClass, get_invalidated_by_change),
            ),
            (
                "offsetof (GeglOperationClass, get_required_for_output)",
                offset_of!(OperationClass, get_required_for_output),
            ),
            ("offsetof (GeglOperationClass, get_cached_region)", offset_of!(OperationClass, get_cached_region)),
            ("sizeof (GeglOperationFilterClass)", size_of::<FilterClass>()),
            ("offsetof (GeglOperationFilterClass, process)", offset_of!(FilterClass, process)),
            ("sizeof (GeglOperationComposerClass)", size_of::<ComposerClass>()),
            ("offsetof (GeglOperationComposerClass, process)", offset_of!(ComposerClass, process)),
            ("offsetof (GeglOperationComposerClass, aux_label)", offset_of!(ComposerClass, aux_label)),
            ("offsetof (GeglOperationComposerClass, aux_description)", offset_of!(ComposerClass, aux_description)),
            ("bits (&threaded)", THREADED as usize),
            ("bits (&in_place)", WANT_IN_PLACE as usize),
            ("GEGL_MODULE_ABI_VERSION", MODULE_ABI_VERSION as usize),
            ("G_PARAM_READWRITE | G_PARAM_CONSTRUCT | GEGL_PARAM_PAD_INPUT", PROPERTY_FLAGS as usize),
            ("G_LOG_LEVEL_MESSAGE", LEVEL_MESSAGE as usize),
        ];
        let expressions = ours.map(|(expression, _)| expression);
        for ((expression, ours), theirs) in ours.into_iter().zip(of_headers(&expressions)) {
            assert_eq!(ours as u64, theirs, "{expression}");
        }
    }
}
