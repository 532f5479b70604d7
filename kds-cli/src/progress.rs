//! Progress on standard error: bars where it is a terminal, lines where it is not.

use std::{
    cell::Cell,
    io::{IsTerminal, stderr},
    path::Path,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kds_host::{Progress as Report, Stage};

use crate::{output, shown};

/// A log without a terminal gets a line of a picture this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress of a run.
pub struct Progress {
    bars: MultiProgress,
    overall: Option<ProgressBar>,
    pictures: usize,
    begun: Cell<usize>,
    quiet: bool,
    lines: bool,
}

impl Progress {
    /// Of so many pictures; one picture needs no overall bar. Quiet, only failures and warnings are said.
    pub fn new(pictures: usize, quiet: bool) -> Self {
        // indicatif draws on standard error, and not at all when that is no terminal.
        let bars = MultiProgress::new();
        if quiet {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let overall = (pictures > 1).then(|| {
            let bar = ProgressBar::new(pictures as u64).with_style(style("{msg} [{bar:30}] {pos}/{len} {elapsed}"));
            bar.set_message("all pictures");
            let bar = bars.add(bar);
            bar.tick();
            bar
        });
        let lines = !quiet && !stderr().is_terminal();
        Self { bars, overall, pictures, begun: Cell::new(0), quiet, lines }
    }

    /// A bar for one picture, gone when it is dropped.
    pub fn picture(&self, name: &Path) -> PictureBar<'_> {
        self.begun.set(self.begun.get() + 1);
        let name = shown::path(Path::new(name.file_name().unwrap_or(name.as_os_str())));
        // The number of steps comes with the first report; a length of zero would show as done.
        let bar = ProgressBar::new(1).with_style(style("{prefix} [{bar:30}] {pos}/{len} {msg} {eta}"));
        bar.set_prefix(name.clone());
        let bar = match &self.overall {
            Some(overall) => self.bars.insert_before(overall, bar),
            None => self.bars.add(bar),
        };
        bar.set_message("loading");
        PictureBar { bar, progress: self, name, said: Cell::new(Instant::now()) }
    }

    /// A failure or a warning on standard error, above the bars.
    pub fn say(&self, line: &str) {
        self.bars.suspend(|| output::say(line));
    }

    /// Prints a note; not when quiet.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.say(line);
        }
    }

    /// Writer of the library's log above the bars.
    pub fn log(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let bars = self.bars.clone();
        move |line| bars.suspend(|| output::say(line))
    }

    fn place(&self) -> String {
        format!("picture {} of {}", self.begun.get(), self.pictures)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(overall) = &self.overall {
            overall.finish_and_clear();
        }
    }
}

/// The progress of one picture.
pub struct PictureBar<'a> {
    bar: ProgressBar,
    progress: &'a Progress,
    name: String,
    said: Cell<Instant>,
}

impl PictureBar<'_> {
    /// Shows a report of the library.
    pub fn update(&self, report: Report) {
        let stage = match report.stage {
            Stage::Prepare => "preparing",
            Stage::Sample => "sampling",
            Stage::Decode => "decoding",
            Stage::Finish => "finishing",
        };
        self.bar.set_length(report.total);
        self.bar.set_position(report.done);
        self.bar.set_message(stage);
        if self.progress.lines && self.said.get().elapsed() >= LINE_EVERY {
            self.said.set(Instant::now());
            let percent = 100 * report.done / report.total.max(1);
            self.progress.say(&format!("{}, {}: {stage}, {percent} %", self.progress.place(), self.name));
        }
    }

    /// Says in a log that the picture is restored; bars show it anyway.
    pub fn restored(&self, seconds: f64) {
        if self.progress.lines && self.progress.pictures > 0 {
            self.progress.say(&format!("{}, {}: restored in {seconds:.1} s", self.progress.place(), self.name));
        }
    }
}

impl Drop for PictureBar<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(overall) = &self.progress.overall {
            overall.inc(1);
        }
    }
}

/// Look of a bar.
pub fn style(template: &str) -> ProgressStyle {
    // The templates are ours; were one wrong, the plain bar would do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
