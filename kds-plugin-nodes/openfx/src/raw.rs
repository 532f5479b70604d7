//! The interface of OpenFX (1.4, and all that came after), as its public headers lay it out. A test compares layouts and names
//! with those that a C compiler makes of the headers.

use std::ffi::{CStr, c_char, c_double, c_int, c_uint, c_void};

/// `OfxStatus`
pub type Status = c_int;
pub const OK: Status = 0;
pub const FAILED: Status = 1;
pub const MISSING_HOST_FEATURE: Status = 4;
pub const OUT_OF_MEMORY: Status = 8;
pub const REPLY_DEFAULT: Status = 14;
pub const IMAGE_FORMAT: Status = 1000;

/// Version of the interface of image effects, `kOfxImageEffectPluginApiVersion`.
pub const API_VERSION: c_int = 1;

/// Effects, clips, parameters, sets of properties: known by their addresses only.
pub type Handle = *mut c_void;

macro_rules! names {
    ($($name:ident = $of_header:ident $value:literal;)*) => {
        $(pub const $name: &CStr = $value;)*
        #[cfg(test)]
        const NAMES: &[(&str, &CStr)] = &[$((stringify!($of_header), $name)),*];
    };
}

names! {
    API = kOfxImageEffectPluginApi c"OfxImageEffectPluginAPI";

    LOAD = kOfxActionLoad c"OfxActionLoad";
    UNLOAD = kOfxActionUnload c"OfxActionUnload";
    DESCRIBE = kOfxActionDescribe c"OfxActionDescribe";
    DESCRIBE_IN_CONTEXT = kOfxImageEffectActionDescribeInContext c"OfxImageEffectActionDescribeInContext";
    PURGE_CACHES = kOfxActionPurgeCaches c"OfxActionPurgeCaches";
    GET_REGION_OF_DEFINITION = kOfxImageEffectActionGetRegionOfDefinition c"OfxImageEffectActionGetRegionOfDefinition";
    GET_REGIONS_OF_INTEREST = kOfxImageEffectActionGetRegionsOfInterest c"OfxImageEffectActionGetRegionsOfInterest";
    RENDER = kOfxImageEffectActionRender c"OfxImageEffectActionRender";

    PROPERTY_SUITE_NAME = kOfxPropertySuite c"OfxPropertySuite";
    PARAMETER_SUITE_NAME = kOfxParameterSuite c"OfxParameterSuite";
    EFFECT_SUITE_NAME = kOfxImageEffectSuite c"OfxImageEffectSuite";
    MESSAGE_SUITE_NAME = kOfxMessageSuite c"OfxMessageSuite";

    SOURCE = kOfxImageEffectSimpleSourceClipName c"Source";
    OUTPUT = kOfxImageEffectOutputClipName c"Output";

    CONTEXT = kOfxImageEffectPropContext c"OfxImageEffectPropContext";
    SUPPORTED_CONTEXTS = kOfxImageEffectPropSupportedContexts c"OfxImageEffectPropSupportedContexts";
    FILTER = kOfxImageEffectContextFilter c"OfxImageEffectContextFilter";
    GENERAL = kOfxImageEffectContextGeneral c"OfxImageEffectContextGeneral";

    LABEL = kOfxPropLabel c"OfxPropLabel";
    SHORT_LABEL = kOfxPropShortLabel c"OfxPropShortLabel";
    LONG_LABEL = kOfxPropLongLabel c"OfxPropLongLabel";
    DESCRIPTION = kOfxPropPluginDescription c"OfxPropPluginDescription";
    VERSION_LABEL = kOfxPropVersionLabel c"OfxPropVersionLabel";
    GROUPING = kOfxImageEffectPluginPropGrouping c"OfxImageEffectPluginPropGrouping";
    THREAD_SAFETY = kOfxImageEffectPluginRenderThreadSafety c"OfxImageEffectPluginRenderThreadSafety";
    INSTANCE_SAFE = kOfxImageEffectRenderInstanceSafe c"OfxImageEffectRenderInstanceSafe";
    FRAME_THREADING = kOfxImageEffectPluginPropHostFrameThreading c"OfxImageEffectPluginPropHostFrameThreading";
    SUPPORTS_TILES = kOfxImageEffectPropSupportsTiles c"OfxImageEffectPropSupportsTiles";
    SUPPORTS_MULTI_RESOLUTION = kOfxImageEffectPropSupportsMultiResolution c"OfxImageEffectPropSupportsMultiResolution";
    SUPPORTED_DEPTHS = kOfxImageEffectPropSupportedPixelDepths c"OfxImageEffectPropSupportedPixelDepths";
    SUPPORTED_COMPONENTS = kOfxImageEffectPropSupportedComponents c"OfxImageEffectPropSupportedComponents";
    OPTIONAL = kOfxImageClipPropOptional c"OfxImageClipPropOptional";
    IS_MASK = kOfxImageClipPropIsMask c"OfxImageClipPropIsMask";
    CONNECTED = kOfxImageClipPropConnected c"OfxImageClipPropConnected";

    TIME = kOfxPropTime c"OfxPropTime";
    RENDER_WINDOW = kOfxImageEffectPropRenderWindow c"OfxImageEffectPropRenderWindow";
    REGION_OF_DEFINITION = kOfxImageEffectPropRegionOfDefinition c"OfxImageEffectPropRegionOfDefinition";
    DATA = kOfxImagePropData c"OfxImagePropData";
    BOUNDS = kOfxImagePropBounds c"OfxImagePropBounds";
    ROW_BYTES = kOfxImagePropRowBytes c"OfxImagePropRowBytes";
    DEPTH = kOfxImageEffectPropPixelDepth c"OfxImageEffectPropPixelDepth";
    COMPONENTS = kOfxImageEffectPropComponents c"OfxImageEffectPropComponents";
    PREMULTIPLICATION = kOfxImageEffectPropPreMultiplication c"OfxImageEffectPropPreMultiplication";

    BYTE = kOfxBitDepthByte c"OfxBitDepthByte";
    SHORT = kOfxBitDepthShort c"OfxBitDepthShort";
    FLOAT = kOfxBitDepthFloat c"OfxBitDepthFloat";
    RGBA = kOfxImageComponentRGBA c"OfxImageComponentRGBA";
    RGB = kOfxImageComponentRGB c"OfxImageComponentRGB";
    ALPHA = kOfxImageComponentAlpha c"OfxImageComponentAlpha";
    OPAQUE = kOfxImageOpaque c"OfxImageOpaque";
    PREMULTIPLIED = kOfxImagePreMultiplied c"OfxImageAlphaPremultiplied";

    INTEGER = kOfxParamTypeInteger c"OfxParamTypeInteger";
    BOOLEAN = kOfxParamTypeBoolean c"OfxParamTypeBoolean";
    DOUBLE = kOfxParamTypeDouble c"OfxParamTypeDouble";
    CHOICE = kOfxParamTypeChoice c"OfxParamTypeChoice";
    STRING = kOfxParamTypeString c"OfxParamTypeString";
    PAGE = kOfxParamTypePage c"OfxParamTypePage";
    PAGE_CHILD = kOfxParamPropPageChild c"OfxParamPropPageChild";
    DEFAULT = kOfxParamPropDefault c"OfxParamPropDefault";
    MINIMUM = kOfxParamPropMin c"OfxParamPropMin";
    MAXIMUM = kOfxParamPropMax c"OfxParamPropMax";
    DISPLAY_MINIMUM = kOfxParamPropDisplayMin c"OfxParamPropDisplayMin";
    DISPLAY_MAXIMUM = kOfxParamPropDisplayMax c"OfxParamPropDisplayMax";
    HINT = kOfxParamPropHint c"OfxParamPropHint";
    ANIMATES = kOfxParamPropAnimates c"OfxParamPropAnimates";
    CHOICE_OPTION = kOfxParamPropChoiceOption c"OfxParamPropChoiceOption";
    STRING_MODE = kOfxParamPropStringMode c"OfxParamPropStringMode";
    SINGLE_LINE = kOfxParamStringIsSingleLine c"OfxParamStringIsSingleLine";

    ERROR = kOfxMessageError c"OfxMessageError";
}

/// Beginnings of the names of properties to which that of a clip is added.
pub const REGION_OF_INTEREST_OF: &str = "OfxImageClipPropRoI_";

#[repr(C)]
pub struct Host {
    pub host: Handle,
    pub fetch_suite: Option<unsafe extern "C" fn(Handle, *const c_char, c_int) -> *const c_void>,
}

#[repr(C)]
pub struct Plugin {
    pub api: *const c_char,
    pub api_version: c_int,
    pub identifier: *const c_char,
    pub version_major: c_uint,
    pub version_minor: c_uint,
    pub set_host: unsafe extern "C" fn(*mut Host),
    pub main_entry: unsafe extern "C" fn(*const c_char, *const c_void, Handle, Handle) -> Status,
}

// SAFETY: what it points to never changes.
unsafe impl Sync for Plugin {}

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RectI {
    pub x1: c_int,
    pub y1: c_int,
    pub x2: c_int,
    pub y2: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RectD {
    pub x1: c_double,
    pub y1: c_double,
    pub x2: c_double,
    pub y2: c_double,
}

/// `OfxPropertySuiteV1`; arrays stand for what is not used here.
#[repr(C)]
pub struct PropertySuite {
    _set_pointer: usize,
    pub set_string: unsafe extern "C" fn(Handle, *const c_char, c_int, *const c_char) -> Status,
    pub set_double: unsafe extern "C" fn(Handle, *const c_char, c_int, c_double) -> Status,
    pub set_int: unsafe extern "C" fn(Handle, *const c_char, c_int, c_int) -> Status,
    /// `propSetPointerN` to `propSetIntN`
    _set_several: [usize; 4],
    pub get_pointer: unsafe extern "C" fn(Handle, *const c_char, c_int, *mut *mut c_void) -> Status,
    pub get_string: unsafe extern "C" fn(Handle, *const c_char, c_int, *mut *const c_char) -> Status,
    pub get_double: unsafe extern "C" fn(Handle, *const c_char, c_int, *mut c_double) -> Status,
    pub get_int: unsafe extern "C" fn(Handle, *const c_char, c_int, *mut c_int) -> Status,
    /// `propGetPointerN` to `propGetDimension`
    _more: [usize; 6],
}

/// `OfxParameterSuiteV1`
#[repr(C)]
pub struct ParameterSuite {
    pub define: unsafe extern "C" fn(Handle, *const c_char, *const c_char, *mut Handle) -> Status,
    pub get_handle: unsafe extern "C" fn(Handle, *const c_char, *mut Handle, *mut Handle) -> Status,
    /// `paramSetGetPropertySet` to `paramGetValue`
    _properties: [usize; 3],
    pub get_value_at_time: unsafe extern "C" fn(Handle, c_double, ...) -> Status,
    /// `paramGetDerivative` to `paramEditEnd`
    _more: [usize; 12],
}

/// `OfxImageEffectSuiteV1`
#[repr(C)]
pub struct EffectSuite {
    pub get_property_set: unsafe extern "C" fn(Handle, *mut Handle) -> Status,
    pub get_param_set: unsafe extern "C" fn(Handle, *mut Handle) -> Status,
    pub clip_define: unsafe extern "C" fn(Handle, *const c_char, *mut Handle) -> Status,
    pub clip_get_handle: unsafe extern "C" fn(Handle, *const c_char, *mut Handle, *mut Handle) -> Status,
    _clip_get_property_set: usize,
    pub clip_get_image: unsafe extern "C" fn(Handle, c_double, *const RectD, *mut Handle) -> Status,
    pub clip_release_image: unsafe extern "C" fn(Handle) -> Status,
    pub clip_get_region_of_definition: unsafe extern "C" fn(Handle, c_double, *mut RectD) -> Status,
    pub abort: unsafe extern "C" fn(Handle) -> c_int,
    /// `imageMemoryAlloc` to `imageMemoryUnlock`
    _memory: [usize; 4],
}

/// `OfxMessageSuiteV2`, which begins as version 1 does.
#[repr(C)]
pub struct MessageSuite {
    pub message: unsafe extern "C" fn(Handle, *const c_char, *const c_char, *const c_char, ...) -> Status,
    // From here on in version 2 only.
    pub set_persistent_message:
        unsafe extern "C" fn(Handle, *const c_char, *const c_char, *const c_char, ...) -> Status,
    pub clear_persistent_message: unsafe extern "C" fn(Handle) -> Status,
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Lines that a C program with OpenFX's headers prints.
    fn of_headers(statements: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("layout.c"), folder.path().join("layout"));
        let text = format!(
            "#include <stddef.h>\n#include <stdio.h>\n#include <ofxImageEffect.h>\nint main (void)\n{{\n{statements}  return 0;\n}}\n"
        );
        std::fs::write(&source, text).unwrap();
        let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/openfx/third_party");
        let mut compile = Command::new("cc");
        let output = compile.arg("-I").arg(headers).arg(&source).arg("-o").arg(&program).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = Command::new(program).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn layouts_are_those_of_the_headers() {
        let ours = [
            ("sizeof (OfxHost)", size_of::<Host>()),
            ("offsetof (OfxHost, fetchSuite)", offset_of!(Host, fetch_suite)),
            ("sizeof (OfxPlugin)", size_of::<Plugin>()),
            ("offsetof (OfxPlugin, apiVersion)", offset_of!(Plugin, api_version)),
            ("offsetof (OfxPlugin, pluginIdentifier)", offset_of!(Plugin, identifier)),
            ("offsetof (OfxPlugin, pluginVersionMajor)", offset_of!(Plugin, version_major)),
            ("offsetof (OfxPlugin, pluginVersionMinor)", offset_of!(Plugin, version_minor)),
            ("offsetof (OfxPlugin, setHost)", offset_of!(Plugin, set_host)),
            ("offsetof (OfxPlugin, mainEntry)", offset_of!(Plugin, main_entry)),
            ("sizeof (OfxRectI)", size_of::<RectI>()),
            ("offsetof (OfxRectI, x2)", offset_of!(RectI, x2)),
            ("sizeof (OfxRectD)", size_of::<RectD>()),
            ("offsetof (OfxRectD, x2)", offset_of!(RectD, x2)),
            ("sizeof (OfxPropertySuiteV1)", size_of::<PropertySuite>()),
            ("offsetof (OfxPropertySuiteV1, propSetString)", offset_of!(PropertySuite, set_string)),
            ("offsetof (OfxPropertySuiteV1, propSetDouble)", offset_of!(PropertySuite, set_double)),
            ("offsetof (OfxPropertySuiteV1, propSetInt)", offset_of!(PropertySuite, set_int)),
            ("offsetof (OfxPropertySuiteV1, propGetPointer)", offset_of!(PropertySuite, get_pointer)),
            ("offsetof (OfxPropertySuiteV1, propGetString)", offset_of!(PropertySuite, get_string)),
            ("offsetof (OfxPropertySuiteV1, propGetDouble)", offset_of!(PropertySuite, get_double)),
            ("offsetof (OfxPropertySuiteV1, propGetInt)", offset_of!(PropertySuite, get_int)),
            ("sizeof (OfxParameterSuiteV1)", size_of::<ParameterSuite>()),
            ("offsetof (OfxParameterSuiteV1, paramDefine)", offset_of!(ParameterSuite, define)),
            ("offsetof (OfxParameterSuiteV1, paramGetHandle)", offset_of!(ParameterSuite, get_handle)),
            ("offsetof (OfxParameterSuiteV1, paramGetValueAtTime)", offset_of!(ParameterSuite, get_value_at_time)),
            ("sizeof (OfxImageEffectSuiteV1)", size_of::<EffectSuite>()),
            ("offsetof (OfxImageEffectSuiteV1, getPropertySet)", offset_of!(EffectSuite, get_property_set)),
            ("offsetof (OfxImageEffectSuiteV1, getParamSet)", offset_of!(EffectSuite, get_param_set)),
            ("offsetof (OfxImageEffectSuiteV1, clipDefine)", offset_of!(EffectSuite, clip_define)),
            ("offsetof (OfxImageEffectSuiteV1, clipGetHandle)", offset_of!(EffectSuite, clip_get_handle)),
            ("offsetof (OfxImageEffectSuiteV1, clipGetImage)", offset_of!(EffectSuite, clip_get_image)),
            ("offsetof (OfxImageEffectSuiteV1, clipReleaseImage)", offset_of!(EffectSuite, clip_release_image)),
            (
                "offsetof (OfxImageEffectSuiteV1, clipGetRegionOfDefinition)",
                offset_of!(EffectSuite, clip_get_region_of_definition),
            ),
            ("offsetof (OfxImageEffectSuiteV1, abort)", offset_of!(EffectSuite, abort)),
            ("sizeof (OfxMessageSuiteV2)", size_of::<MessageSuite>()),
            ("offsetof (OfxMessageSuiteV1, message)", offset_of!(MessageSuite, message)),
            ("offsetof (OfxMessageSuiteV2, setPersistentMessage)", offset_of!(MessageSuite, set_persistent_message)),
            (
                "offsetof (OfxMessageSuiteV2, clearPersistentMessage)",
                offset_of!(MessageSuite, clear_persistent_message),
            ),
            ("kOfxStatOK", OK as usize),
            ("kOfxStatFailed", FAILED as usize),
            ("kOfxStatErrMissingHostFeature", MISSING_HOST_FEATURE as usize),
            ("kOfxStatErrMemory", OUT_OF_MEMORY as usize),
            ("kOfxStatReplyDefault", REPLY_DEFAULT as usize),
            ("kOfxStatErrImageFormat", IMAGE_FORMAT as usize),
            ("kOfxImageEffectPluginApiVersion", API_VERSION as usize),
        ];
        let prints = |(expression, _): &(&str, usize)| format!("  printf (\"%zu\\n\", (size_t) ({expression}));\n");
        for ((expression, ours), theirs) in ours.iter().zip(of_headers(&ours.iter().map(prints).collect::<String>())) {
            assert_eq!(ours.to_string(), theirs, "{expression}");
        }
    }

    #[test]
    fn names_are_those_of_the_headers() {
        let prints: String = NAMES.iter().map(|(name, _)| format!("  puts ({name});\n")).collect();
        for ((name, ours), theirs) in NAMES.iter().zip(of_headers(&prints)) {
            assert_eq!(ours.to_str().unwrap(), theirs, "{name}");
        }
    }
}
