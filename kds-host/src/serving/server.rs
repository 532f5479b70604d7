//! The worker's side: answers requests, and ends after a long time without one.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use serde::Serialize;

use super::engine::{Engine, for_caller};
use crate::worker::connection::{Connection, again};
use crate::worker::message::{Hello, JobSettings, OpenedModel, Picture, Pictures, Reply, Request};
use crate::worker::pixels::SharedPixels;
use crate::worker::place::{self, Folder};
use crate::{CancelHandle, Error, ImageMut, ImageRef, Progress, Status};

/// A worker that can be asked.
pub struct Server {
    folder: Folder,
    name: String,
    listener: UnixListener,
    shared: Arc<Shared>,
}

/// Result of starting a worker.
pub enum Serving {
    /// There is one at that socket already.
    Already,
    /// This process is to be it.
    New(Server),
}

struct Shared {
    engine: Engine,
    state: Mutex<State>,
    /// Wakes the thread that accepts connections.
    wake: OwnedFd,
}

struct State {
    /// Requests that are worked at.
    busy: usize,
    /// When the last one was done.
    since: Instant,
    /// Nothing new is begun.
    ending: bool,
    /// The connections, to tell them.
    connections: Vec<std::sync::Weak<Connection>>,
}

impl Server {
    /// Becomes the worker at this socket; without one, at that of the automatic device for hosts that use `program`. A
    /// socket that a worker has left behind is replaced.
    ///
    /// # Errors
    /// [`Status::LibraryUnavailable`] where the folder of the socket cannot be used.
    pub fn start(socket: Option<&Path>, program: &Path) -> Result<Serving, Error> {
        let (folder, name) = match socket {
            Some(socket) => {
                let (parent, name) = (socket.parent(), socket.file_name().and_then(|name| name.to_str()));
                let (Some(parent), Some(name)) = (parent, name) else {
                    let message = format!("{} cannot be the path of a socket", socket.display());
                    return Err(Error::new(Status::InvalidArgument, message));
                };
                (Folder::open(parent)?, name.to_owned())
            }
            None => (Folder::of_user()?, place::name(program, place::device(None))),
        };
        let path = folder.path().join(&name);
        let failed = |error: io::Error| {
            Error::new(Status::LibraryUnavailable, format!("cannot serve at {}: {error}", path.display()))
        };
        let lock = folder.lock().map_err(failed)?;
        folder.remove_stale().map_err(failed)?;
        if folder.connect(&name).is_ok() {
            return Ok(Serving::Already);
        }
        folder.remove(&name).map_err(failed)?;
        let listener = folder.bind(&name).map_err(failed)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        drop(lock);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
        let state = State { busy: 0, since: Instant::now(), ending: false, connections: Vec::new() };
        let shared = Arc::new(Shared { engine: Engine::default(), state: Mutex::new(state), wake });
        Ok(Serving::New(Self { folder, name, listener, shared }))
    }

    /// The path of the socket.
    pub fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Ends [`Self::run`] from another thread, as soon as the requests are answered that are worked at.
    pub fn stop_handle(&self) -> impl Fn() + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.end()
    }

    /// Answers requests, and ends when for so long none has been worked at; the socket is removed before.
    ///
    /// # Errors
    /// Only of the system: connections cannot be accepted.
    pub fn run(self, idle: Duration) -> io::Result<()> {
        let result = self.accept_until(idle);
        // Whoever starts a worker now waits for the lock, and then finds no socket.
        let lock = self.folder.lock()?;
        self.folder.remove(&self.name)?;
        drop(lock);
        // Those who had connected before.
        self.accept()?;
        for connection in self.shared.lock().connections.iter().filter_map(std::sync::Weak::upgrade) {
            let _ = connection.send(&Reply::<()>::Ended, &[]);
        }
        result
    }

    fn accept_until(&self, idle: Duration) -> io::Result<()> {
        loop {
            let wait = {
                let mut state = self.shared.lock();
                let left = idle.saturating_sub(state.since.elapsed());
                state.ending |= state.busy == 0 && left.is_zero();
                if state.ending && state.busy == 0 {
                    return Ok(());
                }
                if state.busy > 0 { Duration::from_secs(3600) } else { left }
            };
            let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
            let mut asked = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.shared.wake, PollFlags::IN)];
            again(|| poll(&mut asked, Some(&wait)))?;
            let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
            self.accept()?;
        }
    }

    fn accept(&self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.shared.clone().greet(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The other end may be gone again; files or memory may be short for a moment.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(50));
                    return Ok(());
                }
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn end(&self) {
        self.lock().ending = true;
        self.wake();
    }

    fn greet(self: Arc<Self>, socket: UnixStream) {
        let connected = socket.set_nonblocking(false).and_then(|()| Connection::new(socket));
        // Whoever is refused, or gone, gets no answer.
        let Ok(connection) = connected.map(Arc::new) else { return };
        if connection.send(&Hello::ours(), &[]).is_err() {
            return;
        }
        let mut state = self.lock();
        state.connections.retain(|connection| connection.strong_count() > 0);
        state.connections.push(Arc::downgrade(&connection));
        drop(state);
        let shared = self.clone();
        // Without memory for a thread the host is told by the connection's end.
        let _ = std::thread::Builder::new().name("kds-connection".into()).spawn(move || {
            while let Ok((request, files)) = connection.receive::<Request>() {
                if matches!(request, Request::Cancel) {
                    continue;
                }
                {
                    let mut state = shared.lock();
                    if state.ending {
                        let _ = connection.send(&Reply::<()>::Ended, &[]);
                        return;
                    }
                    state.busy += 1;
                }
                let answered = shared.serve(&connection, request, files);
                {
                    let mut state = shared.lock();
                    state.busy -= 1;
                    state.since = Instant::now();
                }
                shared.wake();
                if answered.is_err() {
                    return;
                }
            }
        });
    }

    fn serve(&self, connection: &Arc<Connection>, request: Request, files: Vec<OwnedFd>) -> io::Result<()> {
        let engine = &self.engine;
        match request {
            Request::Parameters => self.answer(connection, || engine.library()?.parameters()),
            Request::Open(settings) => self.answer(connection, || engine.context(&settings).map(|_| ())),
            Request::Models(settings) => self.answer(connection, || engine.context(&settings)?.models()),
            Request::Devices(settings) => self.answer(connection, || engine.context(&settings)?.devices()),
            Request::Describe(settings) => self.answer(connection, || engine.context(&settings)?.describe()),
            Request::CheckModel(settings, id) => {
                self.answer(connection, || engine.context(&settings)?.check_model(&id))
            }
            Request::RecogniseModel(settings, folder, names, id) => {
                self.answer(connection, || engine.context(&settings)?.recognise_model(&folder, names.as_ref(), &id))
            }
            Request::OpenModel(settings) => self.answer(connection, || {
                let model = engine.model(&settings)?;
                let (device, dtype) = model.device()?;
                Ok(OpenedModel { info: model.info()?, device, dtype })
            }),
            Request::Check(settings) => self.answer(connection, || engine.job(&settings).map(|_| ())),
            Request::Value(settings, name) => self.answer(connection, || engine.job(&settings)?.get(&name)),
            Request::OutputSize(settings, width, height) => {
                self.answer(connection, || engine.job(&settings)?.output_size(width, height))
            }
            Request::Estimate(settings, width, height) => {
                self.answer(connection, || engine.job(&settings)?.estimate(width, height))
            }
            Request::Run(settings, pictures) => {
                let result = self.run(connection, &settings, &pictures, files)?;
                if result.as_ref().is_err_and(|error| error.status == Status::DeviceUnavailable) {
                    // A process that has lost its GPU cannot have it back.
                    self.end();
                }
                self.answer(connection, || result)
            }
            Request::Cancel => Ok(()),
        }
    }

    fn answer<T: Serialize>(
        &self,
        connection: &Arc<Connection>,
        call: impl FnOnce() -> Result<T, Error>,
    ) -> io::Result<()> {
        match for_caller(connection, call) {
            Ok(value) => connection.send(&Reply::Done(value), &[]),
            Err(error) => {
                if matches!(error.status, Status::Panic | Status::Internal) {
                    // The state of what failed is unknown: the next request meets a new process.
                    self.end();
                }
                connection.send(&Reply::<()>::Failed(error), &[])
            }
        }
    }

    /// Runs a job in a thread of its own, while this one listens whether the host wants it to stop, or is gone.
    fn run(
        &self,
        connection: &Arc<Connection>,
        settings: &JobSettings,
        pictures: &Pictures,
        files: Vec<OwnedFd>,
    ) -> io::Result<Result<(), Error>> {
        let mut memory = Memory::new(pictures, files)?;
        let done = eventfd(0, EventfdFlags::CLOEXEC)?;
        let stop = Stop::default();
        std::thread::scope(|scope| {
            let run = std::thread::Builder::new().name("kds-run".into()).spawn_scoped(scope, || {
                let result =
                    for_caller(connection, || self.attempts(connection, settings, pictures, &mut memory, &stop));
                let _ = rustix::io::write(&done, &1u64.to_ne_bytes());
                result
            })?;
            loop {
                let mut asked = [PollFd::new(&done, PollFlags::IN), PollFd::new(connection, PollFlags::IN)];
                again(|| poll(&mut asked, None))?;
                if !asked[0].revents().is_empty() {
                    break;
                }
                if !asked[1].revents().is_empty() {
                    let heard = connection.receive::<Request>();
                    stop.ask();
                    if heard.is_err() {
                        break;
                    }
                }
            }
            // Exports of the library catch their panics, and nothing else here panics; a thread that did is a defect.
            Ok(run.join().unwrap_or_else(|_| Err(Error::new(Status::Panic, "the worker panicked; please report it"))))
        })
    }

    /// Runs the job; when memory runs out, unloads the other models and runs it once more.
    fn attempts(
        &self,
        connection: &Connection,
        settings: &JobSettings,
        pictures: &Pictures,
        memory: &mut Memory,
        stop: &Stop,
    ) -> Result<(), Error> {
        let mut attempt = || {
            let mut job = self.engine.job(settings)?;
            stop.install(job.cancel_handle());
            let mut report = |at: Progress| match connection.send(&Reply::<()>::Progress(at), &[]) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            let (input, mask, output, confidence) = memory.views(pictures)?;
            job.run(input, mask, output, confidence, pictures.progress.then_some(&mut report))
        };
        match attempt() {
            Err(error) if error.status == Status::OutOfMemory && self.engine.make_room(&settings.model) => attempt(),
            result => result,
        }
    }
}

/// A wish to stop, which may come before there is a job.
#[derive(Default)]
struct Stop(Mutex<(bool, Option<CancelHandle>)>);

impl Stop {
    fn ask(&self) {
        let mut stop = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stop.0 = true;
        if let Some(job) = &stop.1 {
            job.cancel();
        }
    }

    fn install(&self, job: CancelHandle) {
        let mut stop = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.0 {
            job.cancel();
        }
        stop.1 = Some(job);
    }
}

/// The memory of the pictures of a run.
struct Memory {
    input: SharedPixels,
    mask: Option<SharedPixels>,
    output: SharedPixels,
    confidence: Option<SharedPixels>,
}

type Views<'a> = (ImageRef<'a>, Option<ImageRef<'a>>, ImageMut<'a>, Option<ImageMut<'a>>);

impl Memory {
    fn new(pictures: &Pictures, files: Vec<OwnedFd>) -> io::Result<Self> {
        let mut files = files.into_iter();
        let mut take = |picture: &Picture| {
            let missing = || io::Error::other("a picture came without memory");
            SharedPixels::received(files.next().ok_or_else(missing)?, picture.len().ok_or_else(missing)?)
        };
        Ok(Self {
            input: take(&pictures.input)?,
            mask: pictures.mask.as_ref().map(&mut take).transpose()?,
            output: take(&pictures.output)?,
            confidence: pictures.confidence.as_ref().map(&mut take).transpose()?,
        })
    }

    fn views(&mut self, pictures: &Pictures) -> Result<Views<'_>, Error> {
        fn read<'a>(pixels: &'a SharedPixels, picture: &Picture) -> Result<ImageRef<'a>, Error> {
            let Picture { format, alpha, light, width, height } = *picture;
            let row = picture.row().unwrap_or(usize::MAX);
            Ok(ImageRef::strided(pixels.bytes(), format, width, height, row, alpha)?.with_light(light))
        }
        fn write<'a>(pixels: &'a mut SharedPixels, picture: &Picture) -> Result<ImageMut<'a>, Error> {
            let Picture { format, alpha, light, width, height } = *picture;
            let row = picture.row().unwrap_or(usize::MAX);
            Ok(ImageMut::strided(pixels.bytes_mut(), format, width, height, row, alpha)?.with_light(light))
        }
        let mask = self.mask.as_ref().zip(pictures.mask.as_ref());
        let confidence = self.confidence.as_mut().zip(pictures.confidence.as_ref());
        Ok((
            read(&self.input, &pictures.input)?,
            mask.map(|(pixels, picture)| read(pixels, picture)).transpose()?,
            write(&mut self.output, &pictures.output)?,
            confidence.map(|(pixels, picture)| write(pixels, picture)).transpose()?,
        ))
    }
}
