//! A filter: a node of the engine on a clip.

use std::ffi::{CString, c_int, c_void};
use std::ptr::null;

use kds_plugin_nodes::{Channels, Light, Node, Task, caught};

use crate::frame;
use crate::map::{In, Out};
use crate::raw::{
    self, ALL_FRAMES_READY, Api, Core, FilterDependency, Frame, FrameContext, GENERAL, INITIAL, PARALLEL_REQUESTS,
    STRICT_SPATIAL, VideoInfo,
};

/// Property of a frame that holds its seed.
const SEED: &std::ffi::CStr = c"KdsSeed";
/// Property of a frame that says how its values grow with light, and the number for linear light (ITU-T H.273).
const TRANSFER: &std::ffi::CStr = c"_Transfer";
const LINEAR: i64 = 8;

struct Filter {
    task: Task,
    node: Node,
    clip: Clip,
    mask: Option<Clip>,
    output: VideoInfo,
}

/// A reference to a clip.
struct Clip {
    node: *mut raw::Node,
    info: VideoInfo,
    free: unsafe extern "C" fn(*mut raw::Node),
}

impl Clip {
    fn new(input: &In<'_>, key: &std::ffi::CStr, api: &Api) -> Result<Self, String> {
        let node = input.node(key).ok_or_else(|| format!("the argument {} is no clip", key.to_string_lossy()))?;
        // SAFETY: a live clip, whose description lives as long.
        let info = unsafe { *(api.get_video_info)(node) };
        Ok(Self { node, info, free: api.free_node })
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        // SAFETY: the reference was given to this one, and is given back once.
        unsafe { (self.free)(self.node) }
    }
}

/// Makes a filter of these arguments, and puts it into the results.
///
/// # Safety
/// Maps, core and table are live.
pub unsafe fn create(task: Task, input: &In<'_>, output: &Out<'_>, core: *mut Core, api: &Api) -> Result<(), String> {
    let clip = Clip::new(input, c"clip", api)?;
    let mask = (task == Task::Inpaint).then(|| Clip::new(input, c"mask", api)).transpose()?;
    frame::format(&clip.info.format)?;
    let (width, height) = (u32::try_from(clip.info.width).unwrap_or(0), u32::try_from(clip.info.height).unwrap_or(0));
    if width == 0 || height == 0 {
        return Err("the size of the clip changes from frame to frame; resize it to one first".to_owned());
    }
    if let Some(mask) = &mask {
        let is_gray = frame::format(&mask.info.format).is_ok_and(|format| format.channels == Channels::Gray);
        if !is_gray || (mask.info.width, mask.info.height) != (clip.info.width, clip.info.height) {
            return Err("the mask must be GRAY8, GRAY16 or GRAYS, and of the clip's size".to_owned());
        }
    }
    let node = Node::open(task, input.settings(task)?).map_err(|error| error.message)?;
    let (width, height) = node.output_size(width, height).map_err(|error| error.message)?;
    let mut info = clip.info;
    (info.width, info.height) = (c_int::try_from(width).unwrap_or(0), c_int::try_from(height).unwrap_or(0));
    let dependencies: Vec<_> = [(Some(&clip), STRICT_SPATIAL), (mask.as_ref(), GENERAL)]
        .into_iter()
        .filter_map(|(clip, request_pattern)| Some(FilterDependency { source: clip?.node, request_pattern }))
        .collect();
    let name = CString::new(task.name()).map_err(|error| error.to_string())?;
    let number = dependencies.len() as c_int;
    let filter = Box::into_raw(Box::new(Filter { task, node, clip, mask, output: info }));
    // SAFETY: all live through the call; the filter is given to VapourSynth, which gives it to `free` in the end.
    unsafe {
        (api.create_video_filter)(
            output.map(),
            name.as_ptr(),
            &info,
            get_frame,
            free,
            PARALLEL_REQUESTS,
            dependencies.as_ptr(),
            number,
            filter.cast(),
            core,
        );
    }
    Ok(())
}

unsafe extern "C" fn free(filter: *mut c_void, _: *mut Core, _: *const Api) {
    // SAFETY: the filter that `create` gave away, which nothing uses any more.
    drop(unsafe { Box::from_raw(filter.cast::<Filter>()) });
}

unsafe extern "C" fn get_frame(
    number: c_int,
    reason: c_int,
    filter: *mut c_void,
    _: *mut *mut c_void,
    context: *mut FrameContext,
    core: *mut Core,
    api: *const Api,
) -> *const Frame {
    // SAFETY: VapourSynth passes the filter that `create` gave away, and its table.
    let (filter, api) = unsafe { (&*filter.cast::<Filter>(), &*api) };
    if reason == INITIAL {
        // SAFETY: live clips; numbers beyond the end of a mask mean its last frame.
        unsafe {
            (api.request_frame_filter)(number, filter.clip.node, context);
            if let Some(mask) = &filter.mask {
                (api.request_frame_filter)(number, mask.node, context);
            }
        }
    } else if reason == ALL_FRAMES_READY {
        // SAFETY: the frames have been asked for, and are there.
        match caught(|| unsafe { filter.restore(number, context, core, api) }) {
            Ok(frame) => return frame,
            Err(message) => {
                let message = format!("kds.{}: frame {number}: {message}", filter.task.name()).replace('\0', " ");
                let message = CString::new(message).unwrap_or_default();
                // SAFETY: a live context; the message is copied.
                unsafe { (api.set_filter_error)(message.as_ptr(), context) };
            }
        }
    }
    null()
}

/// A frame that is given back when it is not needed any more.
struct Held<'a>(*const Frame, &'a Api);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference was given to this one, and is given back once.
        unsafe { (self.1.free_frame)(self.0) }
    }
}

impl Held<'_> {
    /// The frame, whose reference is somebody else's from now on.
    fn give_away(self) -> *const Frame {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl Filter {
    /// # Safety
    /// The frames that it needs have been asked for in this context.
    unsafe fn restore(
        &self,
        number: c_int,
        context: *mut FrameContext,
        core: *mut Core,
        api: &Api,
    ) -> Result<*const Frame, String> {
        // SAFETY: by the contract of this function; a picture is not used longer than the frame beside it.
        let get = |clip: &Clip| unsafe {
            let frame = Held((api.get_frame_filter)(number, clip.node, context), api);
            let picture = frame::readable(api, frame.0)?;
            Ok::<_, String>((frame, picture))
        };
        let (source, picture) = get(&self.clip)?;
        let mask = self.mask.as_ref().map(get).transpose()?;
        // SAFETY: the properties live as long as the frame.
        let properties = unsafe { In::new((api.get_frame_properties_ro)(source.0), api) };
        let light = if properties.int(TRANSFER) == Some(LINEAR) { Light::Linear } else { Light::Encoded };
        let VideoInfo { format, width, height, .. } = &self.output;
        // SAFETY: a live format, frame and core; the new frame has its own planes, and the properties of the source.
        let (restored, target) = unsafe {
            let frame = (api.new_video_frame)(format, *width, *height, source.0, core);
            let held = Held(frame.cast_const(), api);
            let target = frame::writable(api, frame)?;
            (held, target)
        };
        let mask = mask.as_ref().map(|(_, mask)| *mask);
        self.node
            .restore(picture.with_light(light), mask, target.with_light(light), properties.int(SEED), None)
            .map_err(|error| error.message)?;
        Ok(restored.give_away())
    }
}
