//! Progress on standard error: bars where it is a terminal, nothing but the warnings where it is not.

use std::path::Path;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kds_host::{Progress as Report, Stage};

use crate::output;

/// The bars of a run.
pub struct Progress {
    bars: MultiProgress,
    overall: Option<ProgressBar>,
}

impl Progress {
    /// Bars for so many pictures; one picture needs no overall bar.
    pub fn new(pictures: usize) -> Self {
        // indicatif draws on standard error, and not at all when that is no terminal.
        let bars = MultiProgress::new();
        let overall = (pictures > 1).then(|| {
            let bar = ProgressBar::new(pictures as u64).with_style(style("{msg} [{bar:30}] {pos}/{len} {elapsed}"));
            bar.set_message("all pictures");
            let bar = bars.add(bar);
            bar.tick();
            bar
        });
        Self { bars, overall }
    }

    /// A bar for one picture, gone when it is dropped.
    pub fn picture(&self, name: &Path) -> PictureBar<'_> {
        // The number of steps comes with the first report; a length of zero would show as done.
        let bar = ProgressBar::new(1).with_style(style("{prefix} [{bar:30}] {pos}/{len} {msg} {eta}"));
        bar.set_prefix(name.file_name().unwrap_or(name.as_os_str()).to_string_lossy().into_owned());
        let bar = match &self.overall {
            Some(overall) => self.bars.insert_before(overall, bar),
            None => self.bars.add(bar),
        };
        bar.set_message("loading");
        PictureBar { bar, progress: self }
    }

    /// A line on standard error, above the bars.
    pub fn say(&self, line: &str) {
        self.bars.suspend(|| output::say(line));
    }

    /// What writes the library's log above the bars.
    pub fn log(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let bars = self.bars.clone();
        move |line| bars.suspend(|| output::say(line))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(overall) = &self.overall {
            overall.finish_and_clear();
        }
    }
}

/// The bar of one picture.
pub struct PictureBar<'a> {
    bar: ProgressBar,
    progress: &'a Progress,
}

impl PictureBar<'_> {
    /// Shows a report of the library.
    pub fn update(&self, report: Report) {
        self.bar.set_length(report.total);
        self.bar.set_position(report.done);
        self.bar.set_message(match report.stage {
            Stage::Prepare => "preparing",
            Stage::Sample => "sampling",
            Stage::Decode => "decoding",
            Stage::Finish => "finishing",
        });
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

/// How a bar looks.
pub fn style(template: &str) -> ProgressStyle {
    // The templates are ours; were one wrong, the plain bar would do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
