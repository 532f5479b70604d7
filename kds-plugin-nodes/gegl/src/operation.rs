//! An operation: its class, its properties, and the rectangles between which GEGL asks it to compute. All of them are the
//! whole picture, since every pixel depends on all others.

use std::ffi::{c_char, c_int, c_uint};
use std::mem;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kds_plugin_nodes::value::{self, Value};
use kds_plugin_nodes::{Channels, Node, Setting, Task, caught};

use crate::property;
use crate::raw::{
    self, ComposerClass, FilterClass, Functions, ObjectClass, Operation, OperationClass, Pointer, Rectangle, THREADED,
    TypeInfo, TypeQuery, WANT_IN_PLACE,
};
use crate::{buffer, name, process, text};

/// An operation in a graph, as GObject lays it out.
#[repr(C)]
struct Instance {
    operation: Operation,
    state: *mut State,
}

/// State of one operation in a graph.
pub struct State {
    pub task: Task,
    values: Mutex<Vec<(Setting, Value)>>,
    // None until it is needed with these values.
    node: Mutex<Option<Result<Arc<Node>, String>>>,
}

impl State {
    fn new(task: Task) -> Self {
        Self { task, values: Mutex::new(value::of_model(task)), node: Mutex::new(None) }
    }

    /// The model with the values of the properties. What could not be opened is not tried again until GEGL prepares to compute
    /// anew, so that the announced size is that of the result.
    pub fn node(&self) -> Result<Arc<Node>, String> {
        let mut node = locked(&self.node);
        let open = || {
            let given = value::given(&locked(&self.values));
            Node::open(self.task, given).map(Arc::new).map_err(|error| error.message)
        };
        node.get_or_insert_with(|| caught(open)).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
/// A live operation of this plug-in.
pub unsafe fn state<'a>(operation: *mut Operation) -> &'a State {
    // SAFETY: by the contract of this function; the state lives as long as the operation.
    unsafe { &*(*operation.cast::<Instance>()).state }
}

/// Tells GEGL of an operation.
///
/// # Safety
/// A live `GTypeModule`.
pub unsafe fn register(module: Pointer, task: Task) -> Result<(), String> {
    let functions = raw::functions()?;
    // SAFETY: types of GEGL; all strings and structures live through the calls, and the functions as long as the program.
    unsafe {
        let (parent, class_size) = match task {
            Task::Inpaint => ((functions.gegl_operation_composer_get_type)(), size_of::<ComposerClass>()),
            _ => ((functions.gegl_operation_filter_get_type)(), size_of::<FilterClass>()),
        };
        let mut query = TypeQuery::default();
        (functions.g_type_query)(parent, &raw mut query);
        if (query.class_size as usize, query.instance_size as usize) != (class_size, size_of::<Operation>()) {
            return Err("the classes of this GEGL are of another size than those that KDS knows".to_owned());
        }
        let (class_init, instance_init): (unsafe extern "C" fn(_, _), unsafe extern "C" fn(_, _)) = match task {
            Task::Restore => (class_init::<0>, instance_init::<0>),
            Task::Upscale => (class_init::<1>, instance_init::<1>),
            Task::Inpaint => (class_init::<2>, instance_init::<2>),
        };
        let info = TypeInfo {
            class_size: class_size as u16,
            base_init: null_mut(),
            base_finalize: null_mut(),
            class_init,
            class_finalize: null_mut(),
            class_data: null_mut(),
            instance_size: size_of::<Instance>() as u16,
            n_preallocs: 0,
            instance_init,
            value_table: null_mut(),
        };
        let type_name = text(&format!("KdsGegl{}", task.name()));
        match (functions.g_type_module_register_type)(module, parent, type_name.as_ptr(), &raw const info, 0) {
            0 => Err("GObject does not take its type".to_owned()),
            _ => Ok(()),
        }
    }
}

unsafe extern "C" fn class_init<const TASK: usize>(class: Pointer, _: Pointer) {
    // SAFETY: GObject passes the class that it initialises.
    let done = caught(|| unsafe { describe(class, Task::ALL[TASK], raw::functions()?) });
    if let Err(reason) = done {
        crate::tell(Task::ALL[TASK], &reason);
    }
}

/// # Safety
/// A class of this task that is being initialised.
unsafe fn describe(class: Pointer, task: Task, functions: &Functions) -> Result<(), String> {
    // SAFETY: by the contract of this function. Registration has compared the size of the class.
    unsafe {
        let operation = &mut *class.cast::<OperationClass>();
        operation.object.set_property = set_property;
        operation.object.get_property = get_property;
        operation.object.finalize = Some(finalize);
        operation.flags &= !(THREADED | WANT_IN_PLACE);
        operation.prepare = prepare;
        operation.get_bounding_box = get_bounding_box;
        operation.get_invalidated_by_change = get_invalidated_by_change;
        operation.get_required_for_output = get_required_for_output;
        // GEGL keeps the results of operations that have one, so that what is looked at again is not computed again.
        operation.get_cached_region = get_cached_region;
        if task == Task::Inpaint {
            let composer = &mut *class.cast::<ComposerClass>();
            composer.process = process::composer;
            composer.aux_label = c"Mask".as_ptr();
            composer.aux_description = c"White is filled. Without a mask, what is transparent in the picture".as_ptr();
        } else {
            (*class.cast::<FilterClass>()).process = process::filter;
        }
        property::install(class, task, functions);
        let (title, label, categories, description) = match task {
            Task::Restore => (
                c"Restore",
                c"Restore as Filter (KDS)...",
                c"enhance",
                c"Restores a picture: sharper, with less noise and fewer traces of compression",
            ),
            Task::Upscale => (c"Upscale", c"", c"enhance:transform", c"Enlarges a picture with new detail"),
            Task::Inpaint => (c"Inpaint", c"Inpaint as Filter (KDS)...", c"enhance", c"Fills holes of a picture"),
        };
        let set = |key: &std::ffi::CStr, value| (functions.gegl_operation_class_set_key)(class, key.as_ptr(), value);
        // GEGL may keep the address, for as long as the program runs.
        set(c"name", text(&name(task)).into_raw().cast_const());
        set(c"title", title.as_ptr());
        set(c"categories", categories.as_ptr());
        set(c"description", description.as_ptr());
        // Layers of GIMP 3 keep their size under filters: there the plug-in enlarges.
        if task != Task::Upscale {
            set(c"gimp:menu-path", c"<Image>/Filters/Enhance".as_ptr());
            set(c"gimp:menu-label", label.as_ptr());
        }
    }
    Ok(())
}

unsafe extern "C" fn instance_init<const TASK: usize>(operation: *mut Operation, _: Pointer) {
    let state = Box::into_raw(Box::new(State::new(Task::ALL[TASK])));
    // SAFETY: GObject passes the operation that it makes.
    unsafe { (*operation.cast::<Instance>()).state = state };
}

unsafe extern "C" fn finalize(operation: *mut Operation) {
    // SAFETY: GObject calls it once, as the last; the state was made by `instance_init`, and the first word of an object is its
    // class.
    unsafe {
        let state = mem::replace(&mut (*operation.cast::<Instance>()).state, null_mut());
        let _ = caught(|| {
            drop(Box::from_raw(state));
            Ok(())
        });
        if let Ok(functions) = raw::functions() {
            let parent = (functions.g_type_class_peek_parent)(*operation.cast::<Pointer>());
            if let Some(finalize) = (*parent.cast::<ObjectClass>()).finalize {
                finalize(operation);
            }
        }
    }
}

unsafe extern "C" fn set_property(operation: *mut Operation, id: c_uint, value: Pointer, _: Pointer) {
    // SAFETY: GObject passes a live operation, and a value of the property's type.
    unsafe {
        let state = state(operation);
        property::access(&mut locked(&state.values), id, value, true);
        *locked(&state.node) = None;
    }
}

unsafe extern "C" fn get_property(operation: *mut Operation, id: c_uint, value: Pointer, _: Pointer) {
    // SAFETY: as in `set_property`.
    unsafe { property::access(&mut locked(&state(operation).values), id, value, false) }
}

/// Sets the formats of the pads.
unsafe extern "C" fn prepare(operation: *mut Operation) {
    let Ok(functions) = raw::functions() else { return };
    // SAFETY: GEGL passes a live operation with the pads of its class.
    unsafe {
        let state = state(operation);
        let mut node = locked(&state.node);
        if node.as_ref().is_some_and(Result::is_err) {
            *node = None;
        }
        drop(node);
        let source = Source::of(operation, functions);
        let format = |channels| (functions.babl_format_with_space)(buffer::encoding(channels).as_ptr(), source.format);
        let pixels = format(source.channels);
        (functions.gegl_operation_set_format)(operation, c"input".as_ptr(), pixels);
        (functions.gegl_operation_set_format)(operation, c"output".as_ptr(), pixels);
        if state.task == Task::Inpaint {
            (functions.gegl_operation_set_format)(operation, c"aux".as_ptr(), format(Channels::GrayAlpha));
        }
    }
}

/// Input of an operation.
pub struct Source {
    /// Its format, whose colour space is that of the result; null where nothing is connected.
    pub format: Pointer,
    /// The channels that are computed with.
    pub channels: Channels,
    /// Its place; none where nothing is there.
    pub area: Option<Rectangle>,
    /// False for what has no end, such as the pattern of `gegl:checkerboard`.
    pub is_finite: bool,
}

impl Source {
    /// # Safety
    /// A live operation in a graph.
    pub unsafe fn of(operation: *mut Operation, functions: &Functions) -> Self {
        let pad = c"input".as_ptr();
        // SAFETY: by the contract of this function.
        unsafe {
            let format = (functions.gegl_operation_get_source_format)(operation, pad);
            let area = (functions.gegl_operation_source_get_bounding_box)(operation, pad).as_ref().copied();
            let area = area.filter(|area| area.width > 0 && area.height > 0);
            let is_infinite = |area: Rectangle| (functions.gegl_rectangle_is_infinite_plane)(&raw const area) != 0;
            let is_finite = !area.is_some_and(is_infinite);
            Self { format, channels: buffer::channels(format, functions), area, is_finite }
        }
    }

    /// The place of the result. Where the size of the result cannot be known, it is that of the input.
    pub fn result(&self, state: &State) -> Rectangle {
        let area = self.area.unwrap_or_default();
        if state.task != Task::Upscale || !self.is_finite || self.area.is_none() {
            return area;
        }
        let size = |length: c_int| u32::try_from(length).unwrap_or(0);
        let enlarged = state
            .node()
            .and_then(|node| node.output_size(size(area.width), size(area.height)).map_err(|error| error.message));
        enlarged.ok().and_then(|(width, height)| larger(area, width, height)).unwrap_or(area)
    }
}

/// The place of an enlarged picture; none where GEGL cannot count so far.
fn larger(area: Rectangle, width: u32, height: u32) -> Option<Rectangle> {
    let at =
        |start: c_int, to: u32, from: c_int| c_int::try_from(i64::from(start) * i64::from(to) / i64::from(from)).ok();
    let (x, y) = (at(area.x, width, area.width)?, at(area.y, height, area.height)?);
    Some(Rectangle { x, y, width: c_int::try_from(width).ok()?, height: c_int::try_from(height).ok()? })
}

/// Asks for a rectangle; an empty one where that fails.
unsafe fn rectangle(operation: *mut Operation, of: impl FnOnce(&Source, &State) -> Rectangle) -> Rectangle {
    // SAFETY: GEGL passes a live operation in a graph.
    let ask = || unsafe { Ok(of(&Source::of(operation, raw::functions()?), state(operation))) };
    caught(ask).unwrap_or_default()
}

unsafe extern "C" fn get_bounding_box(operation: *mut Operation) -> Rectangle {
    // SAFETY: as GEGL passes it.
    unsafe { rectangle(operation, Source::result) }
}

unsafe extern "C" fn get_invalidated_by_change(
    operation: *mut Operation,
    _: *const c_char,
    _: *const Rectangle,
) -> Rectangle {
    // SAFETY: as GEGL passes it.
    unsafe { rectangle(operation, Source::result) }
}

/// Of the mask too, what lies beside the picture is not needed. Of what has no end, no more than is asked for: that is an
/// error when it comes to computing.
unsafe extern "C" fn get_required_for_output(
    operation: *mut Operation,
    _: *const c_char,
    asked: *const Rectangle,
) -> Rectangle {
    // SAFETY: as GEGL passes it.
    unsafe {
        let asked = asked.as_ref().copied().unwrap_or_default();
        rectangle(operation, |source, _| if source.is_finite { source.area.unwrap_or(asked) } else { asked })
    }
}

unsafe extern "C" fn get_cached_region(operation: *mut Operation, asked: *const Rectangle) -> Rectangle {
    // SAFETY: as GEGL passes it.
    unsafe {
        let asked = asked.as_ref().copied().unwrap_or_default();
        rectangle(operation, |source, state| if source.is_finite { source.result(state) } else { asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enlarged_picture_lies_where_its_pixels_go() {
        let at = |x, y, width, height| Rectangle { x, y, width, height };
        assert_eq!(larger(at(-3, 5, 10, 7), 40, 28), Some(at(-12, 20, 40, 28)));
        assert_eq!(larger(at(c_int::MAX / 2, 0, 10, 7), 40, 28), None);
        assert_eq!(larger(at(0, 0, 10, 7), u32::MAX, 28), None);
    }
}
