//! Any sequence of calls of the C interface, within the memory contract of kds.h: pointers are NULL or lead to what the
//! header says, handles are live, buffers are as long as they say. Everything else is arbitrary.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use kds::*;
use tempfile::TempDir;

use super::arguments::{Record, Size, Text, library_string, pointer, seldom};
use super::outcome::{ErrorArgument, free, untouched};
use super::run::Run;
use super::{assert_one_line, tiny_model};

/// Most calls of one sequence.
const MOST_CALLS: usize = 48;
/// Most handles of one kind that are alive at once.
const MOST_HANDLES: usize = 4;

/// Makes a sequence of calls of the bytes, asserts after each call what the header promises, and frees what is left.
pub fn calls(bytes: &[u8]) {
    completed_runs(bytes);
}

/// As [`calls`]; gives the number of runs that restored a picture.
pub fn completed_runs(bytes: &[u8]) -> usize {
    let mut bytes = Unstructured::new(bytes);
    let mut session = Session::default();
    for _ in 0..MOST_CALLS {
        if bytes.is_empty() {
            break;
        }
        match Step::arbitrary(&mut bytes) {
            Ok(step) => session.perform(&step),
            Err(_) => break,
        }
    }
    session.completed_runs
}

/// One call. Numbers of handles count round those that are alive; 255 is NULL.
#[derive(Debug, Arbitrary)]
struct Step {
    handle: u8,
    call: Call,
    /// Nobody wants the error object.
    #[arbitrary(with = seldom)]
    bare: Option<()>,
    /// The out-parameter is NULL.
    #[arbitrary(with = seldom)]
    no_out: Option<()>,
}

#[derive(Debug, Arbitrary)]
enum Call {
    ContextNew(ContextParams),
    ContextFree,
    ModelCount,
    ModelGet(Index),
    DeviceCount,
    DeviceGet(Index),
    Describe,
    ErrorRead,
    ErrorFree,
    StatusName(i32),
    ModelOpen(Text, #[arbitrary(with = seldom)] Option<Text>, #[arbitrary(with = seldom)] Option<Text>),
    ModelFree,
    ModelInfo(#[arbitrary(with = seldom)] Option<Size>),
    ModelDevice,
    JobNew,
    JobFree,
    JobSet(Text, Text),
    JobGet(Text),
    OutputSize(u32, u32),
    Estimate(Side, Side, #[arbitrary(with = seldom)] Option<Size>),
    Run(Run),
    RunAgain(Run),
    Cancel,
    ParamGet(Index),
}

#[derive(Debug, Arbitrary)]
struct ContextParams {
    #[arbitrary(with = seldom)]
    size: Option<Size>,
    #[arbitrary(with = seldom)]
    threads: Option<i32>,
    #[arbitrary(with = seldom)]
    registry: Option<Text>,
}

/// An index that is mostly small, and a struct.
#[derive(Debug, Arbitrary)]
struct Index {
    small: u8,
    #[arbitrary(with = seldom)]
    any: Option<usize>,
    #[arbitrary(with = seldom)]
    size: Option<Size>,
}

impl Index {
    fn get(&self) -> usize {
        self.any.unwrap_or(usize::from(self.small % 32))
    }
}

/// Side of an image.
#[derive(Debug, Arbitrary)]
enum Side {
    Small(u8),
    Photograph(u16),
    Any(u32),
}

impl Side {
    fn get(&self) -> u32 {
        match *self {
            Self::Small(side) => side.into(),
            Self::Photograph(side) => side.into(),
            Self::Any(side) => side,
        }
    }
}

/// A job, and what is known of it.
#[derive(Clone, Copy)]
pub struct Job {
    pub handle: *mut kds_job,
    pub cancelled: bool,
}

/// What is alive.
#[derive(Default)]
struct Session {
    contexts: Vec<*mut kds_context>,
    models: Vec<*mut kds_model>,
    jobs: Vec<Job>,
    errors: Vec<*mut kds_error>,
    completed_runs: usize,
}

impl Session {
    fn perform(&mut self, Step { handle, call, bare, no_out }: &Step) {
        let handle = *handle;
        let context = pick(&self.contexts, handle).map_or(std::ptr::null_mut(), |index| self.contexts[index]);
        let model = pick(&self.models, handle).map_or(std::ptr::null_mut(), |index| self.models[index]);
        let job = pick(&self.jobs, handle);
        let job_handle = job.map_or(std::ptr::null_mut(), |index| self.jobs[index].handle);
        let writable = no_out.is_none();
        let mut error = ErrorArgument::new(bare.is_none());
        let errors = &mut self.errors;
        // SAFETY: handles are NULL or alive, structs and buffers as long as they say, strings end with NUL.
        unsafe {
            match call {
                Call::ContextNew(params) => {
                    let mut out = untouched();
                    let status = params.make(or_null(&mut out, writable), error.pointer());
                    let new = given(error.settle(status, errors), out, writable);
                    keep(&mut self.contexts, new, |it| kds_context_free(it));
                }
                Call::ContextFree => release(&mut self.contexts, handle, |it| kds_context_free(it)),
                Call::ModelCount => {
                    let mut out = usize::MAX;
                    let status = kds_context_model_count(context, or_null(&mut out, writable), error.pointer());
                    assert_eq!(error.settle(status, errors), out != usize::MAX);
                }
                Call::ModelGet(index) => {
                    let mut info = Record::empty::<kds_model_info>(index.size);
                    let status = kds_context_model_get(context, index.get(), info.pointer(), error.pointer());
                    check_model(&info, error.settle(status, errors));
                }
                Call::DeviceCount => {
                    let mut out = usize::MAX;
                    let status = kds_context_device_count(context, or_null(&mut out, writable), error.pointer());
                    assert_eq!(error.settle(status, errors), out != usize::MAX);
                }
                Call::DeviceGet(index) => {
                    let mut info = Record::empty::<kds_device_info>(index.size);
                    let status = kds_context_device_get(context, index.get(), info.pointer(), error.pointer());
                    check_strings(&info, error.settle(status, errors), |info: kds_device_info| {
                        vec![info.name, info.description, info.dtypes, info.default_dtype]
                    });
                }
                Call::Describe => {
                    let mut out = untouched::<c_char>().cast_const();
                    let status = kds_context_describe(context, or_null(&mut out, writable), error.pointer());
                    check_out(error.settle(status, errors), out);
                }
                Call::ErrorRead => {
                    let found = pick(errors, handle).map_or(std::ptr::null_mut(), |index| errors[index]);
                    assert_eq!(found.is_null(), library_string(kds_error_message(found)).is_empty());
                    assert_eq!(found.is_null(), kds_error_status(found) == KDS_OK);
                }
                Call::ErrorFree => release(errors, handle, |it| free(it)),
                Call::StatusName(status) => {
                    assert!(library_string(kds_status_name(*status)).starts_with("KDS_"));
                    assert!(kds_abi_version() == KDS_ABI_VERSION && kds_abi_minor() == KDS_ABI_MINOR);
                    assert!(!library_string(kds_version_string()).is_empty());
                }
                Call::ModelOpen(id, device, dtype) => {
                    let mut out = untouched();
                    let string = |text: &Option<Text>| text.as_ref().and_then(Text::string);
                    let (id, device, dtype) = (id.string(), string(device), string(dtype));
                    let (id, device, dtype) = (pointer(&id), pointer(&device), pointer(&dtype));
                    let status =
                        kds_model_open(context, id, device, dtype, or_null(&mut out, writable), error.pointer());
                    let new = given(error.settle(status, errors), out, writable);
                    keep(&mut self.models, new, |it| kds_model_free(it));
                    // The same texts as a folder and the names in it, so that seeds keep their meaning.
                    let mut found = untouched();
                    let mut error = ErrorArgument::new(true);
                    let out = or_null(&mut found, writable);
                    let status = kds_model_recognise(context, id, device, id, out, error.pointer());
                    if let Some(found) = given(error.settle(status, errors), found, writable) {
                        let (mut entry, mut files) = (std::ptr::null(), std::ptr::null());
                        let got = kds_recognised_get(found, &raw mut entry, &raw mut files, std::ptr::null_mut());
                        assert_eq!(got, KDS_OK);
                        assert!(!library_string(entry).is_empty() && !library_string(files).is_empty());
                        kds_recognised_free(found);
                    }
                }
                Call::ModelFree => release(&mut self.models, handle, |it| kds_model_free(it)),
                Call::ModelInfo(size) => {
                    let mut info = Record::empty::<kds_model_info>(*size);
                    let status = kds_model_info_get(model, info.pointer(), error.pointer());
                    check_model(&info, error.settle(status, errors));
                }
                Call::ModelDevice => {
                    let (mut device, mut dtype) =
                        (untouched::<c_char>().cast_const(), untouched::<c_char>().cast_const());
                    let status =
                        kds_model_device(model, &raw mut device, or_null(&mut dtype, writable), error.pointer());
                    let succeeded = error.settle(status, errors);
                    check_out(succeeded, device);
                    check_out(succeeded, dtype);
                }
                Call::JobNew => {
                    let mut out = untouched();
                    let status = kds_job_new(model, or_null(&mut out, writable), error.pointer());
                    let new = given(error.settle(status, errors), out, writable);
                    let new = new.map(|handle| Job { handle, cancelled: false });
                    keep(&mut self.jobs, new, |it| kds_job_free(it.handle));
                }
                Call::JobFree => release(&mut self.jobs, handle, |it| kds_job_free(it.handle)),
                Call::JobSet(key, value) => {
                    let (key, value) = (key.string(), value.string());
                    let status = kds_job_set(job_handle, pointer(&key), pointer(&value), error.pointer());
                    if error.settle(status, errors) {
                        let mut now = std::ptr::null();
                        let status = kds_job_get(job_handle, pointer(&key), &raw mut now, std::ptr::null_mut());
                        assert_eq!(status, KDS_OK);
                        let value = value.unwrap();
                        assert_eq!(library_string(now), value.to_str().unwrap().trim(), "what was set is in force");
                    }
                }
                Call::JobGet(key) => {
                    let mut out = untouched::<c_char>().cast_const();
                    let key = key.string();
                    let status = kds_job_get(job_handle, pointer(&key), or_null(&mut out, writable), error.pointer());
                    check_out(error.settle(status, errors), out);
                }
                Call::OutputSize(width, height) => {
                    let (mut x, mut y) = (0, 0);
                    let out = or_null(&mut y, writable);
                    let status = kds_job_output_size(job_handle, *width, *height, &raw mut x, out, error.pointer());
                    let succeeded = error.settle(status, errors);
                    assert!(if succeeded { x >= *width && y >= *height } else { (x, y) == (0, 0) }, "{x} x {y}");
                }
                Call::Estimate(width, height, size) => {
                    let mut estimate = Record::empty::<kds_estimate>(*size);
                    let (width, height) = (width.get(), height.get());
                    let status = kds_job_estimate(job_handle, width, height, estimate.pointer(), error.pointer());
                    if error.settle(status, errors) {
                        let estimate: kds_estimate = estimate.written();
                        assert!(estimate.tile_width > 0 && estimate.tile_height > 0 && estimate.batch > 0);
                        assert!(estimate.tiles > 0 && estimate.memory > 0 && estimate.evaluations >= estimate.tiles);
                    } else {
                        estimate.assert_untouched();
                    }
                }
                Call::Run(run) | Call::RunAgain(run) => {
                    let job = job.map(|index| &mut self.jobs[index]);
                    self.completed_runs += usize::from(run.perform(job, error, errors));
                }
                Call::Cancel => {
                    kds_job_cancel(job_handle);
                    job.into_iter().for_each(|index| self.jobs[index].cancelled = true);
                }
                Call::ParamGet(index) => {
                    let mut param = Record::empty::<kds_param>(index.size);
                    let status = kds_param_get(index.get(), param.pointer(), error.pointer());
                    let succeeded = error.settle(status, errors);
                    check_strings(&param, succeeded, |param: kds_param| {
                        vec![param.name, param.title, param.help, param.default_value, param.choices]
                    });
                    assert!(!succeeded || index.get() < kds_param_count());
                }
            }
        }
        while self.errors.len() > MOST_HANDLES {
            release(&mut self.errors, 0, |it| unsafe { free(it) });
        }
    }
}

impl Drop for Session {
    /// Frees in an order that no careful program would choose.
    fn drop(&mut self) {
        // SAFETY: each handle is alive and is freed once.
        unsafe {
            self.contexts.drain(..).for_each(|it| kds_context_free(it));
            self.models.drain(..).for_each(|it| kds_model_free(it));
            self.jobs.drain(..).for_each(|it| kds_job_free(it.handle));
            self.errors.drain(..).for_each(|it| free(it));
        }
    }
}

impl ContextParams {
    /// # Safety
    /// As `kds_context_new`.
    unsafe fn make(&self, out: *mut *mut kds_context, error: *mut *mut kds_error) -> i32 {
        let ours = Some(test_registry());
        let registry = match &self.registry {
            None => ours,
            Some(text) => text.string(),
        };
        // More threads than a machine has are allowed, and of no use here.
        let threads = self.threads.filter(|threads| !(3..=1024).contains(threads)).unwrap_or(1);
        let mut params = std::mem::MaybeUninit::<kds_context_params>::uninit();
        // SAFETY: the struct is there, the string ends with NUL, the log takes no data.
        unsafe {
            kds_context_params_init(params.as_mut_ptr());
            let mut params = params.assume_init();
            params.threads = threads;
            params.registry = pointer(&registry);
            params.log = Some(log);
            params.log_level = KDS_LOG_DEBUG;
            kds_context_new(Record::of(&params, self.size).pointer::<kds_context_params>(), out, error)
        }
    }
}

/// The log of every context: lines of text, of a known level.
unsafe extern "C" fn log(_user_data: *mut c_void, level: i32, message: *const c_char) {
    // A panic in here ends the process, which fuzzing notices as well.
    assert!((KDS_LOG_ERROR..=KDS_LOG_DEBUG).contains(&level));
    // SAFETY: the library's string.
    assert_one_line(unsafe { CStr::from_ptr(message) }.to_str().unwrap());
}

/// A registry in which every model is tiny, the built-in one too.
fn test_registry() -> CString {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        tiny_model::write(&folder.path().join("tiny")).unwrap();
        let entry = |id: &str, task: &str| {
            format!("[[model]]\nid = \"{id}\"\ntitle = \"{id}\"\ntask = \"{task}\"\nscale = 2\nbackbone = \"residual\"\npath = \"tiny\"\n[model.defaults]\nsteps = 2\nparticles = 2\n")
        };
        let (tiny, photo) = (entry("tiny", "super-resolution"), entry("kds-photo-x4", "super-resolution"));
        let text = [tiny, photo, entry("fill", "inpainting")].concat();
        std::fs::write(folder.path().join("registry.toml"), text).unwrap();
        folder
    });
    CString::new(folder.path().join("registry.toml").into_os_string().into_encoded_bytes()).unwrap()
}

/// The handle of this number, counting round; `None` for NULL.
fn pick<T>(handles: &[T], number: u8) -> Option<usize> {
    (number != u8::MAX && !handles.is_empty()).then(|| usize::from(number) % handles.len())
}

fn or_null<T>(out: &mut T, writable: bool) -> *mut T {
    if writable { out } else { std::ptr::null_mut() }
}

/// The handle that a call gave; asserts that it gave one exactly on success.
fn given<T>(succeeded: bool, out: *mut T, writable: bool) -> Option<*mut T> {
    assert_eq!(succeeded, out != untouched(), "a handle exactly on success");
    assert!(!succeeded || writable && !out.is_null());
    succeeded.then_some(out)
}

/// Keeps a new handle, and frees the oldest where there are many.
fn keep<T>(handles: &mut Vec<T>, new: Option<T>, free: impl Fn(T)) {
    handles.extend(new);
    if handles.len() > MOST_HANDLES {
        free(handles.remove(0));
    }
}

fn release<T>(handles: &mut Vec<T>, number: u8, free: impl Fn(T)) {
    if let Some(index) = pick(handles, number) {
        free(handles.remove(index));
    }
}

/// # Safety
/// `out` is what a call gave, or untouched.
unsafe fn check_out(succeeded: bool, out: *const c_char) {
    assert_eq!(succeeded, out != untouched::<c_char>().cast_const(), "a string exactly on success");
    if succeeded {
        // SAFETY: the caller's promise.
        unsafe { library_string(out) };
    }
}

/// # Safety
/// `T` is the struct that the call fills.
unsafe fn check_strings<T: Copy>(record: &Record, succeeded: bool, strings: impl Fn(T) -> Vec<*const c_char>) {
    if succeeded {
        // SAFETY: the caller's promise; the library's strings are alive.
        unsafe { strings(record.written()).into_iter().for_each(|text| assert!(library_string(text).len() < 4096)) };
    } else {
        record.assert_untouched();
    }
}

/// # Safety
/// As [`check_strings`].
unsafe fn check_model(record: &Record, succeeded: bool) {
    let strings = |info: kds_model_info| {
        assert!((1..=16).contains(&info.scale) && info.needs_mask <= 1);
        vec![info.id, info.title, info.task, info.backbone, info.source]
    };
    // SAFETY: the caller's promise.
    unsafe { check_strings(record, succeeded, strings) };
}
