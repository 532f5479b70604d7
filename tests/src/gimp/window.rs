//! A GIMP with a window, on a screen that exists in memory only, driven by keyboard.
//!
//! What the keyboard cannot ask is asked by GIMP's own Script-Fu server. There is no window manager, so windows are
//! placed and given the keyboard here.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Session;

/// Builds on a busy machine are slow; what is waited for longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts a screen; returns it and its name. Of two that start at once one may choose the other's number and end without one.
fn open_screen((width, height): (u32, u32)) -> Result<(Child, String)> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let mut screen = Command::new("Xvfb")
            // It would start anew whenever its last client leaves, and refuse a GIMP that comes meanwhile.
            .arg("-noreset")
            .args(["-displayfd", "1", "-screen", "0", &format!("{width}x{height}x24")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start Xvfb; `cargo xtask test` installs it")?;
        let mut number = String::new();
        BufReader::new(screen.stdout.take().context("Xvfb has no output")?).read_line(&mut number)?;
        match number.trim().parse::<u32>() {
            Ok(number) => return Ok((screen, format!(":{number}"))),
            Err(_) => {
                let _ = screen.kill();
                screen.wait()?;
            }
        }
    }
    bail!("Xvfb ended {TRIES} times before it had a display")
}

/// A running GIMP and its screen. Both end with it.
pub struct Window {
    screen: Child,
    gimp: Child,
    session: Session,
    port: u16,
    main: String,
}

impl Window {
    /// Opens GIMP with a picture of the session's folder on a screen of this size.
    pub fn open(session: Session, picture: &str, (width, height): (u32, u32)) -> Result<Self> {
        let (screen, display) = open_screen((width, height))?;
        session.set("DISPLAY", &display)?;
        // Nobody else takes the port in the moment between.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = session.command(&format!("gimp-{}", session.version().number()));
        command.args(["-s", "-n"]);
        if session.version().is_three() {
            command.arg("--batch-interpreter=plug-in-script-fu-eval");
        }
        let server = format!("(plug-in-script-fu-server RUN-NONINTERACTIVE \"127.0.0.1\" {port} \"\")");
        command.args(["-b", &server]).arg(session.folder_inside().join(picture));
        let log = fs::File::create(session.folder().join("window.log"))?;
        let gimp = command.stdout(log.try_clone()?).stderr(log).spawn().context("cannot start GIMP")?;
        let mut window = Self { screen, gimp, session, port, main: String::new() };
        window.main = window.wait_for(picture.rsplit_once('.').map_or(picture, |(name, _)| name))?;
        window.wait_until("GIMP to answer", |window| Ok(window.eval("(+ 1 1)").is_ok()))?;
        let words = window.session.write_words()?;
        window.eval(&format!("(load \"{}\")", words.display()))?;
        let (width, height, main) = (width.to_string(), height.to_string(), window.main.clone());
        window.xdotool(&["windowmove", &main, "0", "0", "windowsize", &main, &width, &height])?;
        // Where it causes no help text to appear.
        window.xdotool(&["mousemove", "2", "2"])?;
        sleep(Duration::from_secs(1));
        window.focus(&main)?;
        Ok(window)
    }

    /// The session that it was opened with.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// GIMP's main window.
    pub fn main(&self) -> &str {
        &self.main
    }

    /// Waits for a window with this in its title.
    pub fn wait_for(&self, title: &str) -> Result<String> {
        let mut found = None;
        self.wait_until(&format!("a window '{title}'"), |window| {
            let list = window.xdotool(&["search", "--onlyvisible", "--name", title]).unwrap_or_default();
            found = list.lines().next().map(str::to_owned);
            Ok(found.is_some())
        })?;
        // It is there, but may not be drawn yet.
        sleep(Duration::from_millis(1500));
        found.with_context(|| format!("there is no window '{title}'"))
    }

    /// Waits for something to become true.
    pub fn wait_until(&self, what: &str, mut ready: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
        let start = Instant::now();
        while !ready(self)? {
            if start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.session.folder().join("window.log")).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(20)..].join("\n");
                bail!("waited in vain for {what}; {}; GIMP's last lines:\n{last}", self.state());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Visible windows, the one that has the keyboard, and where the screen was written to. xdotool fails where there is none.
    fn state(&self) -> String {
        let asked = |arguments: &[&str]| self.xdotool(arguments).map_or("none".into(), |said| said.trim().to_owned());
        let windows = self.xdotool(&["search", "--onlyvisible", "--name", "."]).unwrap_or_default();
        let titles: Vec<_> =
            windows.lines().map(|window| format!("{window} '{}'", asked(&["getwindowname", window]))).collect();
        let picture = self.session.folder().join("failed.png");
        let picture = match self.shoot(None, &picture) {
            Ok(()) => picture.display().to_string(),
            Err(error) => format!("nowhere: {error:#}"),
        };
        format!("windows: {titles:?}; keyboard: {}; screen: {picture}", asked(&["getwindowfocus"]))
    }

    /// Gives a window the keyboard. X refuses that to one that is not drawn yet, and xdotool fails where no window has it.
    pub fn focus(&self, window: &str) -> Result<()> {
        self.wait_until(&format!("window {window} to have the keyboard"), |this| {
            let given = this.xdotool(&["windowfocus", window]);
            sleep(Duration::from_millis(300));
            Ok(given.is_ok() && this.xdotool(&["getwindowfocus"]).is_ok_and(|has| has.trim() == window))
        })
    }

    /// Presses keys, one after the other, in the window that has the keyboard.
    pub fn press(&self, keys: &[&str]) -> Result<()> {
        for key in keys {
            self.xdotool(&["key", key])?;
            sleep(Duration::from_millis(700));
        }
        Ok(())
    }

    /// Clicks at a place of the screen.
    pub fn click(&self, (x, y): (u32, u32)) -> Result<()> {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"])?;
        Ok(())
    }

    /// Drags the mouse with its button down.
    pub fn drag(&self, from: (u32, u32), to: (u32, u32)) -> Result<()> {
        let [from_x, from_y, to_x, to_y] = [from.0, from.1, to.0, to.1].map(|place| place.to_string());
        self.xdotool(&["mousemove", &from_x, &from_y, "mousedown", "1"])?;
        sleep(Duration::from_millis(200));
        // Two moves: some programs take the first for the beginning only.
        self.xdotool(&["mousemove", &to_x, &from_y, "mousemove", &to_x, &to_y])?;
        sleep(Duration::from_millis(200));
        self.xdotool(&["mouseup", "1"])?;
        sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Moves a window.
    pub fn place(&self, window: &str, x: u32, y: u32) -> Result<()> {
        self.xdotool(&["windowmove", window, &x.to_string(), &y.to_string()])?;
        sleep(Duration::from_millis(700));
        Ok(())
    }

    /// Writes what the screen shows into a file, or a window alone.
    pub fn shoot(&self, window: Option<&str>, file: &Path) -> Result<()> {
        let mut command = Command::new("import");
        let status =
            command.env("DISPLAY", self.display()?).args(["-window", window.unwrap_or("root")]).arg(file).status();
        ensure!(status.context("cannot start import; `cargo xtask test` installs it")?.success(), "import failed");
        Ok(())
    }

    /// Evaluates Script-Fu in the running GIMP, and returns what it is, as text.
    pub fn eval(&self, script: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let length = u16::try_from(script.len())?.to_be_bytes();
        stream.write_all(&[&b"G"[..], &length[..], script.as_bytes()].concat())?;
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        let mut text = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
        stream.read_exact(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        ensure!(head[1] == 0, "{script}: {text}");
        Ok(text)
    }

    /// Whether the image that was opened differs from what it was when it was last marked as clean.
    pub fn is_changed(&self) -> Result<bool> {
        let answer =
            self.eval("(if (memv (car (gimp-image-is-dirty (opened-image))) (list 1 #t)) \"dirty\" \"clean\")")?;
        Ok(answer.contains("dirty"))
    }

    /// Whether the plug-in is at work.
    pub fn plug_in_runs(&self) -> Result<bool> {
        Ok(self.session.plug_in()?.is_some())
    }

    fn display(&self) -> Result<String> {
        Ok(fs::read_to_string(self.session.folder().join("DISPLAY"))?)
    }

    fn xdotool(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("xdotool").env("DISPLAY", self.display()?).args(arguments).output();
        let output = output.context("cannot start xdotool; `cargo xtask test` installs it")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "xdotool {}: {said}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        for process in [&mut self.gimp, &mut self.screen] {
            // Whatever goes wrong here, the test has its result.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
