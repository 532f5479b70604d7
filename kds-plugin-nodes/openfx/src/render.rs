//! Rendering: the image of the source at a time becomes that of the output.

use std::ffi::{CStr, c_char, c_int};
use std::ops::ControlFlow;
use std::ptr::null_mut;
use std::sync::Arc;

use kds_plugin_nodes::value::{self, Value};
use kds_plugin_nodes::{Channels, Error, Light, Packed, Setting, Status, Task};

use crate::cache::{self, Key};
use crate::describe::{LINEAR, MASK};
use crate::host::{Suites, text};
use crate::image::Image;
use crate::raw::{self, Handle};

/// Reason why there is no result.
pub enum Failure {
    /// The host has given the frame up.
    Aborted,
    /// A status for the host, and a message for the person.
    Told(raw::Status, String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Told(raw::FAILED, message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.status {
            Status::Cancelled => Self::Aborted,
            // The host may free memory and ask again.
            Status::OutOfMemory => Self::Told(raw::OUT_OF_MEMORY, error.message),
            _ => Self::Told(raw::FAILED, error.message),
        }
    }
}

/// Renders a frame.
///
/// # Safety
/// A live effect, and the arguments of the action.
pub unsafe fn render(effect: Handle, arguments: Handle, task: Task, suites: &Suites) -> Result<(), Failure> {
    // SAFETY: by the contract of this function.
    unsafe {
        let arguments = suites.properties(arguments);
        let time = arguments.double(raw::TIME).unwrap_or(0.0);
        let clip = |name: &CStr| {
            Image::of_clip(effect, name, time, suites).map_err(|(status, message)| Failure::Told(status, message))
        };
        let mut output = clip(raw::OUTPUT)?.ok_or_else(|| "the host gives no picture to write to".to_owned())?;
        let window = arguments.rectangle(raw::RENDER_WINDOW).unwrap_or(output.bounds);
        let Some(source) = clip(raw::SOURCE)? else {
            output.write(None, window);
            return Ok(());
        };
        if (source.format.depth, source.format.channels == Channels::Gray)
            != (output.format.depth, output.format.channels == Channels::Gray)
        {
            let message = format!(
                "the source has pixels of {:?} {:?} and the result of {:?} {:?}; convert the clip before this effect",
                source.format.channels, source.format.depth, output.format.channels, output.format.depth
            );
            return Err(Failure::Told(raw::IMAGE_FORMAT, message));
        }
        let place = source.bounds;
        let mask = clip(MASK)?.map(|mask| mask.mask(place)).transpose()?;
        let (values, light) = values(effect, time, task, suites)?;
        let request = Request { task, settings: value::given(&values), light };
        let is_aborted = || (suites.effect.abort)(effect) != 0;
        let restored = request.answer(&source, mask, is_aborted)?;
        // A host may let both be the same memory.
        drop(source);
        output.write(Some((&restored, place)), window);
        Ok(())
    }
}

/// Task and parameters of a frame.
struct Request {
    task: Task,
    settings: Vec<(String, String)>,
    light: Light,
}

impl Request {
    /// The result for a picture: one that was computed before, or a new one.
    fn answer(
        self,
        source: &Image<'_>,
        mask: Option<Packed>,
        is_aborted: impl Fn() -> bool,
    ) -> Result<Arc<Packed>, Failure> {
        let Self { task, settings, light } = self;
        let is_filled_by_alpha = task == Task::Inpaint && mask.is_none();
        if is_filled_by_alpha && !source.computed().channels.has_alpha() {
            let message =
                "there is nothing to fill: connect a mask, or a picture with alpha, of which what is transparent \
                           is filled"
                    .to_owned();
            return Err(message.into());
        }
        // Of our own where it changes, or is mixed with the result.
        let is_mixed = task == Task::Restore && mask.is_some();
        let in_host = if is_filled_by_alpha || is_mixed { None } else { source.view()? };
        let mut copy = if in_host.is_none() { Some(source.read()?) } else { None };
        let holes = copy.as_mut().filter(|_| is_filled_by_alpha).map(Packed::take_holes).transpose()?;
        let mask = holes.or(mask);
        // Frames of a clip without a hole, or beside the mask of another one.
        if mask.as_ref().is_some_and(Packed::is_black) {
            return Ok(Arc::new(copy.map_or_else(|| source.read(), Ok)?));
        }
        let picture = match (in_host, &copy) {
            (Some(picture), _) => picture,
            (None, Some(copy)) => copy.view()?,
            (None, None) => return Err("the picture is lost; please report it".to_owned().into()),
        };
        let picture = picture.with_light(light);
        let shares = mask.as_ref().map(Packed::view).transpose()?;
        let key = Key::new(task, &settings, &picture, shares.as_ref());
        let _turn = cache::turn(&is_aborted).ok_or(Failure::Aborted)?;
        if let Some(result) = cache::result(key) {
            return Ok(result);
        }
        let node = cache::node(task, settings)?;
        let (width, height) = picture.size();
        let mut restored = Packed::new(picture.format(), width, height)?;
        restored.alpha = picture.alpha();
        let mut progress = |_| if is_aborted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let target = restored.view_mut()?.with_light(light);
        node.restore(picture, shares.filter(|_| task == Task::Inpaint), target, None, Some(&mut progress))?;
        if let (Some(copy), Some(shares), true) = (&copy, &mask, is_mixed) {
            restored.keep(copy, shares);
        }
        let restored = Arc::new(restored);
        cache::keep(key, &restored);
        Ok(restored)
    }
}

/// The values of the parameters at a time, and the meaning of the clip's.
///
/// # Safety
/// A live effect that is being rendered.
unsafe fn values(
    effect: Handle,
    time: f64,
    task: Task,
    suites: &Suites,
) -> Result<(Vec<(Setting, Value)>, Light), String> {
    let mut set = null_mut();
    // SAFETY: by the contract of this function.
    if unsafe { (suites.effect.get_param_set)(effect, &raw mut set) } != raw::OK {
        return Err("the host gives no parameters of the effect".to_owned());
    }
    let handle = |name: &CStr| {
        let mut parameter = null_mut();
        // SAFETY: by the contract of this function.
        let status = unsafe { (suites.parameter.get_handle)(set, name.as_ptr(), &raw mut parameter, null_mut()) };
        (status == raw::OK).then_some(parameter)
    };
    let get = suites.parameter.get_value_at_time;
    let mut values = value::of_model(task);
    for (setting, value) in &mut values {
        let Some(parameter) = handle(&text(setting.name)) else { continue };
        // SAFETY: by the contract of this function; the variable has the type of the parameter.
        unsafe {
            match value {
                Value::Integer(value) | Value::Choice(value) => {
                    let mut of_host: c_int = *value;
                    if get(parameter, time, &raw mut of_host) == raw::OK {
                        *value = of_host;
                    }
                }
                Value::Seed(value) => {
                    let mut of_host: c_int = 0;
                    if get(parameter, time, &raw mut of_host) == raw::OK {
                        *value = u32::try_from(of_host).unwrap_or(0);
                    }
                }
                Value::Number(value) => {
                    let mut of_host = *value;
                    if get(parameter, time, &raw mut of_host) == raw::OK {
                        *value = of_host;
                    }
                }
                Value::Text(value) => {
                    let mut of_host: *const c_char = null_mut();
                    if get(parameter, time, &raw mut of_host) == raw::OK && !of_host.is_null() {
                        *value = CStr::from_ptr(of_host).to_owned();
                    }
                }
            }
        }
    }
    let mut linear: c_int = 0;
    // SAFETY: as above.
    let is_told = handle(LINEAR).is_some_and(|parameter| unsafe { get(parameter, time, &raw mut linear) } == raw::OK);
    Ok((values, if is_told && linear != 0 { Light::Linear } else { Light::Encoded }))
}
