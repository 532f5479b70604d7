//! Writes the statistics of photographs that NIQE compares with:
//! `cargo run --release -p kds-metrics --example fit_niqe -- FOLDER kds-metrics/data/niqe_photographs.safetensors`

use std::error::Error;
use std::path::PathBuf;

use image::imageops::{FilterType, resize};
use kds_metrics::Niqe;
use safetensors::{Dtype, tensor::TensorView};

/// Photographs are reduced to this many pixels along their longer side: what cameras sharpen and compress is gone, and
/// results of restoration are seldom larger.
const SIDE: u32 = 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let [folder, output]: [PathBuf; 2] =
        std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>().try_into().map_err(|_| "FOLDER OUTPUT")?;
    let mut paths =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    let mut photographs = Vec::new();
    for path in &paths {
        let photograph = image::open(path)?.into_rgb8();
        let (width, height) = photograph.dimensions();
        let longer = width.max(height);
        if longer < SIDE {
            continue;
        }
        photographs.push(resize(&photograph, width * SIDE / longer, height * SIDE / longer, FilterType::CatmullRom));
    }
    let fitted = Niqe::fit(&photographs).ok_or("too few photographs")?;
    let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let (mean, covariance) = fitted.statistics();
    let (mean, covariance) = (bytes(mean), bytes(covariance));
    let tensors = [
        ("mean", TensorView::new(Dtype::F64, vec![36], &mean)?),
        ("covariance", TensorView::new(Dtype::F64, vec![36, 36], &covariance)?),
    ];
    std::fs::write(&output, safetensors::serialize(tensors, None)?)?;
    println!("{}: statistics of {} of {} photographs", output.display(), photographs.len(), paths.len());
    Ok(())
}
