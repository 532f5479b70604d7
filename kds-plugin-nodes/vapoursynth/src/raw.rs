//! The interface of VapourSynth's plug-ins (API 4.0), as its public header lays it out. Tables of functions only grow at
//! their end, and fields behind the last one that is used here are left out.

use std::ffi::{c_char, c_int, c_void};
use std::marker::{PhantomData, PhantomPinned};

macro_rules! opaque {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub struct $name(PhantomData<(*mut u8, PhantomPinned)>);
    )*};
}

opaque! { Frame Node Core Plugin Map FrameContext }

/// Version 4.0: every later 4.x loads it.
pub const API_VERSION: c_int = 4 << 16;

pub const GRAY: c_int = 1;
pub const RGB: c_int = 2;
pub const YUV: c_int = 3;
pub const INTEGER: c_int = 0;
pub const FLOAT: c_int = 1;

/// Several threads may ask for frames that a filter needs; one at a time computes with it.
pub const PARALLEL_REQUESTS: c_int = 1;
/// For each frame the filter asks for the frame of the same number alone.
pub const STRICT_SPATIAL: c_int = 2;
/// It may ask for others too, such as the one frame of a mask for all.
pub const GENERAL: c_int = 0;

pub const INITIAL: c_int = 0;
pub const ALL_FRAMES_READY: c_int = 1;

pub const APPEND: c_int = 1;
pub const UTF8: c_int = 1;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFormat {
    pub color_family: c_int,
    pub sample_type: c_int,
    pub bits_per_sample: c_int,
    pub bytes_per_sample: c_int,
    pub sub_sampling_w: c_int,
    pub sub_sampling_h: c_int,
    pub num_planes: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct VideoInfo {
    pub format: VideoFormat,
    pub fps_num: i64,
    pub fps_den: i64,
    pub width: c_int,
    pub height: c_int,
    pub num_frames: c_int,
}

#[repr(C)]
pub struct FilterDependency {
    pub source: *mut Node,
    pub request_pattern: c_int,
}

pub type PublicFunction = unsafe extern "C" fn(*const Map, *mut Map, *mut c_void, *mut Core, *const Api);
pub type GetFrame = unsafe extern "C" fn(
    c_int,
    c_int,
    *mut c_void,
    *mut *mut c_void,
    *mut FrameContext,
    *mut Core,
    *const Api,
) -> *const Frame;
pub type Free = unsafe extern "C" fn(*mut c_void, *mut Core, *const Api);

/// Registration functions of a plug-in.
#[repr(C)]
pub struct PluginApi {
    _get_api_version: *const c_void,
    pub config_plugin:
        unsafe extern "C" fn(*const c_char, *const c_char, *const c_char, c_int, c_int, c_int, *mut Plugin) -> c_int,
    pub register_function: unsafe extern "C" fn(
        *const c_char,
        *const c_char,
        *const c_char,
        PublicFunction,
        *mut c_void,
        *mut Plugin,
    ) -> c_int,
}

/// Functions for filters. Arrays of pointers stand for functions that are not used here.
#[repr(C)]
pub struct Api {
    pub create_video_filter: unsafe extern "C" fn(
        *mut Map,
        *const c_char,
        *const VideoInfo,
        GetFrame,
        Free,
        c_int,
        *const FilterDependency,
        c_int,
        *mut c_void,
        *mut Core,
    ),
    /// `createVideoFilter2` to `setCacheOptions`
    _filters: [*const c_void; 6],
    pub free_node: unsafe extern "C" fn(*mut Node),
    /// `addNodeRef`, `getNodeType`
    _nodes: [*const c_void; 2],
    pub get_video_info: unsafe extern "C" fn(*mut Node) -> *const VideoInfo,
    /// `getAudioInfo`
    _audio: *const c_void,
    pub new_video_frame: unsafe extern "C" fn(*const VideoFormat, c_int, c_int, *const Frame, *mut Core) -> *mut Frame,
    /// `newVideoFrame2` to `newAudioFrame2`
    _frames: [*const c_void; 3],
    pub free_frame: unsafe extern "C" fn(*const Frame),
    /// `addFrameRef`, `copyFrame`
    _copies: [*const c_void; 2],
    pub get_frame_properties_ro: unsafe extern "C" fn(*const Frame) -> *const Map,
    /// `getFramePropertiesRW`
    _properties: *const c_void,
    pub get_stride: unsafe extern "C" fn(*const Frame, c_int) -> isize,
    pub get_read_ptr: unsafe extern "C" fn(*const Frame, c_int) -> *const u8,
    pub get_write_ptr: unsafe extern "C" fn(*mut Frame, c_int) -> *mut u8,
    pub get_video_frame_format: unsafe extern "C" fn(*const Frame) -> *const VideoFormat,
    /// `getAudioFrameFormat`, `getFrameType`
    _kinds: [*const c_void; 2],
    pub get_frame_width: unsafe extern "C" fn(*const Frame, c_int) -> c_int,
    pub get_frame_height: unsafe extern "C" fn(*const Frame, c_int) -> c_int,
    /// `getFrameLength` to `getFrameAsync`
    _formats: [*const c_void; 9],
    pub get_frame_filter: unsafe extern "C" fn(c_int, *mut Node, *mut FrameContext) -> *const Frame,
    pub request_frame_filter: unsafe extern "C" fn(c_int, *mut Node, *mut FrameContext),
    /// `releaseFrameEarly`, `cacheFrame`
    _caches: [*const c_void; 2],
    pub set_filter_error: unsafe extern "C" fn(*const c_char, *mut FrameContext),
    /// `createFunction` to `copyMap`
    _functions: [*const c_void; 8],
    pub map_set_error: unsafe extern "C" fn(*mut Map, *const c_char),
    /// `mapGetError` to `mapSetEmpty`
    _keys: [*const c_void; 7],
    pub map_get_int: unsafe extern "C" fn(*const Map, *const c_char, c_int, *mut c_int) -> i64,
    /// `mapGetIntSaturated`, `mapGetIntArray`
    _more_int: [*const c_void; 2],
    pub map_set_int: unsafe extern "C" fn(*mut Map, *const c_char, i64, c_int) -> c_int,
    /// `mapSetIntArray`
    _int_array: *const c_void,
    pub map_get_float: unsafe extern "C" fn(*const Map, *const c_char, c_int, *mut c_int) -> f64,
    /// `mapGetFloatSaturated` to `mapSetFloatArray`
    _more_float: [*const c_void; 4],
    pub map_get_data: unsafe extern "C" fn(*const Map, *const c_char, c_int, *mut c_int) -> *const c_char,
    pub map_get_data_size: unsafe extern "C" fn(*const Map, *const c_char, c_int, *mut c_int) -> c_int,
    /// `mapGetDataTypeHint`
    _hint: *const c_void,
    pub map_set_data: unsafe extern "C" fn(*mut Map, *const c_char, *const c_char, c_int, c_int, c_int) -> c_int,
    pub map_get_node: unsafe extern "C" fn(*const Map, *const c_char, c_int, *mut c_int) -> *mut Node,
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    /// Numbers of the functions in the order of the header, from 0.
    #[test]
    fn functions_are_at_their_places() {
        let places = [
            (offset_of!(Api, free_node), 7),
            (offset_of!(Api, get_video_info), 10),
            (offset_of!(Api, new_video_frame), 12),
            (offset_of!(Api, free_frame), 16),
            (offset_of!(Api, get_frame_properties_ro), 19),
            (offset_of!(Api, get_stride), 21),
            (offset_of!(Api, get_video_frame_format), 24),
            (offset_of!(Api, get_frame_width), 27),
            (offset_of!(Api, get_frame_filter), 38),
            (offset_of!(Api, request_frame_filter), 39),
            (offset_of!(Api, set_filter_error), 42),
            (offset_of!(Api, map_set_error), 51),
            (offset_of!(Api, map_get_int), 59),
            (offset_of!(Api, map_set_int), 62),
            (offset_of!(Api, map_get_float), 64),
            (offset_of!(Api, map_get_data), 69),
            (offset_of!(Api, map_set_data), 72),
            (offset_of!(Api, map_get_node), 73),
        ];
        for (offset, number) in places {
            assert_eq!(offset, number * size_of::<*const ()>());
        }
    }
}
