//! What the tests and measurements that cross crates share: pictures, and ways to run a restoration.

pub mod accelerator;
pub mod bicubic;
pub mod c;
pub mod command;
pub mod debian_root;
pub mod fuzz;
pub mod gimp;
pub mod home;
pub mod icc;
pub mod melt;
pub mod pairs;
pub mod png_file;
pub mod restorer;
pub mod tensor;
pub mod tiff_file;
pub mod vapoursynth;
pub mod worker;
