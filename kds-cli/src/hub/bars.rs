//! Bars for what is downloaded: one for all files, one for the current file.

use indicatif::{MultiProgress, ProgressBar};

use crate::progress::style;

/// The bars of a download.
pub struct Bars {
    bars: MultiProgress,
    overall: ProgressBar,
}

impl Bars {
    /// Bars for so many bytes.
    pub fn new(total: u64) -> Self {
        // indicatif draws on standard error, and not at all when that is no terminal.
        let bars = MultiProgress::new();
        let overall = ProgressBar::new(total)
            .with_style(style("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"))
            .with_message("all files");
        let overall = bars.add(overall);
        Self { bars, overall }
    }

    /// A bar for one file, gone when it is dropped.
    pub fn file(&self) -> FileBar {
        let bar = ProgressBar::new(1).with_style(style("{prefix} [{bar:30}] {bytes}/{total_bytes}"));
        FileBar { bar: self.bars.insert_before(&self.overall, bar), overall: self.overall.clone() }
    }

    /// Counts what need not be downloaded.
    pub fn skip(&self, bytes: u64) {
        self.overall.inc(bytes);
        // What was not moved says nothing about how long the rest takes.
        self.overall.reset_eta();
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.overall.finish_and_clear();
    }
}

/// The bar of one file.
pub struct FileBar {
    bar: ProgressBar,
    overall: ProgressBar,
}

impl hf_hub::api::Progress for FileBar {
    fn init(&mut self, size: usize, name: &str) {
        self.bar.set_prefix(name.to_owned());
        self.bar.set_length(size as u64);
    }

    fn update(&mut self, size: usize) {
        self.bar.inc(size as u64);
        self.overall.inc(size as u64);
    }

    fn finish(&mut self) {}
}

impl Drop for FileBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
