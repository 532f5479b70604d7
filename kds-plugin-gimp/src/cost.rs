//! Time and memory of a restoration, in words.

use kds_host::Estimate;

use crate::translation::{fill, tr};

/// Device of a restoration.
pub struct Place {
    /// The device, with the reason where it was chosen automatically.
    pub device: String,
    /// Free bytes of the host, 0 where not known.
    pub free: u64,
    /// Free bytes of the device.
    pub free_on_device: u64,
}

/// Time, if it is known, and memory for a person: no digits that an estimate cannot have.
pub fn in_words(seconds: Option<f64>, estimate: &Estimate, place: &Place) -> String {
    let time = match seconds {
        None => tr("Measuring how fast this machine is…"),
        Some(..1.5) => tr("Takes about a second."),
        Some(seconds @ ..90.0) => fill("Takes about {} seconds.", &[&format!("{seconds:.0}")]),
        Some(seconds @ ..5400.0) => fill("Takes about {} minutes.", &[&format!("{:.0}", seconds / 60.0)]),
        Some(seconds) => fill("Takes about {} hours.", &[&format!("{:.1}", seconds / 3600.0)]),
    };
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let of = |free: u64| if free == 0 { String::new() } else { fill(" of {} that are free", &[&gigabytes(free)]) };
    let mut lines = vec![time];
    lines.push(fill("Needs about {} of memory{}.", &[&gigabytes(estimate.memory), &of(place.free)]));
    if estimate.device_memory != 0 {
        let free = of(place.free_on_device);
        lines.push(fill("Needs about {} of the device{}.", &[&gigabytes(estimate.device_memory), &free]));
    }
    lines.push(fill("Computes on {}.", &[&place.device]));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_told_in_round_numbers() {
        let place = |free, free_on_device| Place { device: "cpu".to_owned(), free, free_on_device };
        let needs = |memory, device_memory| Estimate {
            tile_width: 64,
            tile_height: 64,
            batch: 1,
            tiles: 1,
            memory,
            evaluations: 8,
            host_memory: memory,
            device_memory,
        };
        let words = in_words(Some(0.3), &needs(1_234_000_000, 0), &place(0, 0));
        assert_eq!(words, "Takes about a second.\nNeeds about 1.2 GB of memory.\nComputes on cpu.");
        let words = in_words(Some(600.0), &needs(900_000_000, 2_000_000_000), &place(8_000_000_000, 4_000_000_000));
        assert_eq!(
            words,
            "Takes about 10 minutes.\nNeeds about 0.9 GB of memory of 8.0 GB that are free.\nNeeds about 2.0 GB of the device \
             of 4.0 GB that are free.\nComputes on cpu."
        );
        assert!(in_words(Some(7200.0), &needs(0, 0), &place(0, 0)).contains("2.0 hours"));
        assert!(in_words(None, &needs(0, 0), &place(0, 0)).contains("Measuring"));
    }
}
