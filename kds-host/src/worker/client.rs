//! The host's side: asks a worker, and starts one where there is none.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::connection::Connection;
use super::message::{
    ContextSettings, Hello, JobSettings, ModelSettings, OpenedModel, Picture, Pictures, Reply, Request,
};
use super::pixels::SharedPixels;
use super::{place, start};
use crate::image::Layout;
use crate::transport::{ContextCalls, Images, JobCalls, ModelCalls, Transport};
use crate::{
    ContextOptions, DeviceInfo, Error, Estimate, Log, ModelInfo, ParameterInfo, Progress, ProgressFn, RecognisedModel,
    Status,
};

/// The workers of this host.
pub(crate) struct Client {
    program: PathBuf,
    /// Idle connections.
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The process that they belong to. A copy of it, made by `fork`, has them too, and must leave them alone.
    process: u32,
    /// With their devices.
    connections: Vec<(String, Connection)>,
}

impl Idle {
    fn of_this_process(&mut self) -> &mut Vec<(String, Connection)> {
        let process = std::process::id();
        if self.process != process {
            *self = Self { process, connections: Vec::new() };
        }
        &mut self.connections
    }
}

impl Client {
    pub fn open() -> Result<Self, Error> {
        Ok(Self { program: start::program()?, idle: Mutex::default() })
    }

    fn connection(&self, device: &str) -> Result<Connection, Error> {
        loop {
            let mut idle = lock(&self.idle);
            let idle_here = idle.of_this_process();
            let Some(found) = idle_here.iter().position(|(of, _)| of == device) else { break };
            let (_, connection) = idle_here.swap_remove(found);
            drop(idle);
            // The only message that a worker sends without a request is that it ends.
            if !connection.is_readable() {
                return Ok(connection);
            }
        }
        start::connect(&self.program, device)
    }

    fn keep(&self, device: &str, connection: Connection) {
        lock(&self.idle).of_this_process().push((device.to_owned(), connection));
    }

    /// Asks, and waits for the answer.
    fn ask<T: DeserializeOwned>(&self, device: &str, request: &Request, log: Option<&Log>) -> Result<T, Error> {
        loop {
            let connection = self.connection(device)?;
            connection.send(request, &[]).map_err(|error| lost(&error))?;
            if let Some(result) = answer(&connection, log, &mut |_| ())? {
                self.keep(device, connection);
                return result;
            }
        }
    }
}

/// Waits for the answer; nothing where the worker ended before it began.
fn answer<T: DeserializeOwned>(
    connection: &Connection,
    log: Option<&Log>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Result<T, Error>>, Error> {
    loop {
        match connection.receive::<Reply<T>>().map_err(|error| lost(&error))?.0 {
            Reply::Log(level, line) => {
                if let Some(log) = log.filter(|log| level <= log.level) {
                    // A host whose log panics loses the line, as with the library in this process.
                    let tell = || (log.tell)(level, &line);
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell));
                }
            }
            Reply::Progress(at) => progress(at),
            Reply::Done(value) => return Ok(Some(Ok(value))),
            Reply::Failed(error) => return Ok(Some(Err(error))),
            Reply::Ended => return Ok(None),
        }
    }
}

fn lost(error: &io::Error) -> Error {
    let ended = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    let reason = if ended.contains(&error.kind()) { String::new() } else { format!(" ({error})") };
    let message = format!(
        "the worker process that computes for this program ended in the middle of the work{reason}: it was killed, or the \
         system had no memory left for it. The next picture starts a new one; if it happens again, set 'max-memory', or \
         restore a smaller part"
    );
    Error::new(Status::WorkerLost, message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Client {
    fn path(&self) -> &Path {
        &self.program
    }

    fn version(&self) -> String {
        // A worker of another version is not used.
        Hello::ours().version
    }

    fn parameters(&self) -> Result<Vec<ParameterInfo>, Error> {
        self.ask(place::device(None), &Request::Parameters, None)
    }

    fn context(self: Arc<Self>, options: &ContextOptions) -> Result<Arc<dyn ContextCalls>, Error> {
        let registry = options.registry.as_ref().map(|path| match std::path::absolute(path) {
            Ok(path) if path.to_str().is_some() => Ok(path),
            _ => {
                let message = format!("the registry path {} is not UTF-8; rename the file", path.display());
                Err(Error::new(Status::InvalidArgument, message))
            }
        });
        let registry = registry.transpose()?;
        let registries = place::registries(registry.as_deref());
        let log = options.log.as_ref().map(|log| log.level);
        let settings = ContextSettings { threads: options.threads, registry, log, registries };
        let context = Context { client: self, settings, log: options.log.clone() };
        context.ask::<()>(&Request::Open(context.settings.clone()))?;
        Ok(Arc::new(context))
    }
}

struct Context {
    client: Arc<Client>,
    settings: ContextSettings,
    log: Option<Log>,
}

impl Context {
    fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        self.client.ask(place::device(None), request, self.log.as_ref())
    }
}

impl ContextCalls for Context {
    fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        self.ask(&Request::Models(self.settings.clone()))
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, Error> {
        self.ask(&Request::Devices(self.settings.clone()))
    }

    fn describe(&self) -> Result<Vec<(String, String)>, Error> {
        self.ask(&Request::Describe(self.settings.clone()))
    }

    fn check_model(&self, id: &str) -> Result<(), Error> {
        self.ask(&Request::CheckModel(self.settings.clone(), id.to_owned()))
    }

    fn recognise_model(
        &self,
        folder: &Path,
        names: Option<&BTreeSet<String>>,
        id: &str,
    ) -> Result<RecognisedModel, Error> {
        // The worker runs in a folder of its own.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        self.ask(&Request::RecogniseModel(self.settings.clone(), folder, names.cloned(), id.to_owned()))
    }

    fn open_model(
        self: Arc<Self>,
        id: &str,
        device: Option<&str>,
        dtype: Option<&str>,
    ) -> Result<Arc<dyn ModelCalls>, Error> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let context = self.settings.clone();
        let settings = ModelSettings { context, id: id.to_owned(), device: owned(device), dtype: owned(dtype) };
        let device = place::device(settings.device.as_deref()).to_owned();
        let opened = self.client.ask(&device, &Request::OpenModel(settings.clone()), self.log.as_ref())?;
        Ok(Arc::new(Model { context: self, settings, device, opened }))
    }
}

struct Model {
    context: Arc<Context>,
    settings: ModelSettings,
    /// Device of its worker.
    device: String,
    opened: OpenedModel,
}

impl ModelCalls for Model {
    fn info(&self) -> Result<ModelInfo, Error> {
        Ok(self.opened.info.clone())
    }

    fn device(&self) -> Result<(String, String), Error> {
        Ok((self.opened.device.clone(), self.opened.dtype.clone()))
    }

    fn new_job(self: Arc<Self>) -> Result<Arc<dyn JobCalls>, Error> {
        let (values, cancelled, running) = (Mutex::new(Vec::new()), AtomicBool::new(false), Mutex::new(None));
        Ok(Arc::new(Job { model: self, values, cancelled, running }))
    }
}

struct Job {
    model: Arc<Model>,
    values: Mutex<Vec<(String, String)>>,
    cancelled: AtomicBool,
    /// The connection at which a run waits.
    running: Mutex<Option<Arc<Connection>>>,
}

impl Job {
    fn settings(&self) -> JobSettings {
        JobSettings { model: self.model.settings.clone(), values: lock(&self.values).clone() }
    }

    fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        self.model.context.client.ask(&self.model.device, request, self.model.context.log.as_ref())
    }

    fn run_once(
        &self,
        request: &Request,
        memory: &[&SharedPixels],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Result<(), Error>>, Error> {
        let client = &self.model.context.client;
        let connection = Arc::new(client.connection(&self.model.device)?);
        *lock(&self.running) = Some(connection.clone());
        let result = if self.cancelled.load(Ordering::SeqCst) {
            Ok(Some(Err(Error::new(Status::Cancelled, "the job was cancelled"))))
        } else {
            let files: Vec<_> = memory.iter().map(|pixels| std::os::fd::AsFd::as_fd(*pixels)).collect();
            let sent = connection.send(request, &files).map_err(|error| lost(&error));
            sent.and_then(|()| answer(&connection, self.model.context.log.as_ref(), progress))
        };
        *lock(&self.running) = None;
        if let (Ok(Some(_)), Some(connection)) = (&result, Arc::into_inner(connection)) {
            client.keep(&self.model.device, connection);
        }
        result
    }
}

impl JobCalls for Job {
    fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        let mut settings = self.settings();
        settings.values.retain(|(of, _)| of != name);
        settings.values.push((name.to_owned(), value.to_owned()));
        self.ask::<()>(&Request::Check(settings.clone()))?;
        *lock(&self.values) = settings.values;
        Ok(())
    }

    fn get(&self, name: &str) -> Result<String, Error> {
        self.ask(&Request::Value(self.settings(), name.to_owned()))
    }

    fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32), Error> {
        self.ask(&Request::OutputSize(self.settings(), width, height))
    }

    fn estimate(&self, width: u32, height: u32) -> Result<Estimate, Error> {
        self.ask(&Request::Estimate(self.settings(), width, height))
    }

    fn run(&self, images: Images<'_>, progress: Option<&mut ProgressFn<'_>>) -> Result<(), Error> {
        let Images { input, mask, mut output, mut confidence } = images;
        let pictures = Pictures {
            input: picture(&input.layout()),
            mask: mask.as_ref().map(|mask| picture(&mask.layout())),
            output: picture(&output.layout()),
            confidence: confidence.as_ref().map(|confidence| picture(&confidence.layout())),
            progress: progress.is_some(),
        };
        let empty = |picture: &Picture| SharedPixels::new(picture.len().unwrap_or(usize::MAX));
        let read = |picture: &Picture, image: &crate::ImageRef<'_>| {
            let mut pixels = empty(picture)?;
            image.copy_to(pixels.bytes_mut());
            Ok::<_, Error>(pixels)
        };
        let input = read(&pictures.input, &input)?;
        let mask = mask.zip(pictures.mask).map(|(mask, picture)| read(&picture, &mask)).transpose()?;
        let restored = empty(&pictures.output)?;
        let map = pictures.confidence.as_ref().map(empty).transpose()?;
        let memory: Vec<_> =
            [Some(&input), mask.as_ref(), Some(&restored), map.as_ref()].into_iter().flatten().collect();

        let request = Request::Run(self.settings(), pictures);
        let mut listener = progress;
        let mut tell = |at| {
            if let Some(listener) = &mut listener
                && let ControlFlow::Break(()) = listener(at)
            {
                self.cancel();
            }
        };
        let result = loop {
            if let Some(result) = self.run_once(&request, &memory, &mut tell)? {
                break result;
            }
        };
        result?;
        output.fill(restored.bytes());
        if let Some((confidence, map)) = confidence.as_mut().zip(map) {
            confidence.fill(map.bytes());
        }
        Ok(())
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        let running = lock(&self.running).clone();
        if let Some(connection) = running {
            // Where it cannot be said, the worker is gone, and the run learns that too.
            let _ = connection.send(&Request::Cancel, &[]);
        }
    }
}

fn picture(layout: &Layout) -> Picture {
    let Layout { format, alpha, light, width, height, .. } = *layout;
    Picture { format, alpha, light, width, height }
}
