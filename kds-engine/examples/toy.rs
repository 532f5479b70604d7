//! The paper's toy: a mixture of three Gaussians with exact score, sampled by DDIM without and with steering, from the
//! same noise. Prints how near the modes the samples come, and draws them beside each other.
//!
//! ```sh
//! cargo run --example toy -- docs/images/toy.png
//! ```

#[path = "toy/mixture.rs"]
mod mixture;

use std::error::Error;

use image::{Rgb, RgbImage};
use mixture::{PARTICLES, Point, density, quality, sample, steering};

const SEEDS: std::ops::Range<u64> = 0..20;

/// Side of a panel and the gap between two, in pixels.
const SIDE: u32 = 480;
const GAP: u32 = 16;
/// The panel shows the plane from −EXTENT to EXTENT.
const EXTENT: f64 = 3.0;
/// Radius of a sample's disc in pixels.
const RADIUS: f64 = 4.5;

fn main() -> Result<(), Box<dyn Error>> {
    let steering = steering();
    println!("{PARTICLES} particles, mean over {} seeds", SEEDS.end);
    println!("              within one sigma   distance to the nearest mode / sigma   modes found");
    for (name, steering) in [("DDIM", None), ("DDIM + KDS", Some(&steering))] {
        let (mut within, mut distance, mut modes) = (0.0, 0.0, 0.0);
        for seed in SEEDS {
            let quality = quality(&sample(seed, steering)?);
            within += quality.within;
            distance += quality.distance;
            modes += quality.modes as f64;
        }
        let seeds = SEEDS.end as f64;
        let [within, distance, modes] = [100.0 * within, distance, modes].map(|sum| sum / seeds);
        println!("{name:<12}  {within:>14.1} %   {distance:>37.2}   {modes:>11.1}");
    }
    if let Some(path) = std::env::args_os().nth(1) {
        let mut picture = RgbImage::from_pixel(2 * SIDE + GAP, SIDE, Rgb([255; 3]));
        draw(&mut picture, 0, &sample(0, None)?);
        draw(&mut picture, SIDE + GAP, &sample(0, Some(&steering))?);
        picture.save(&path)?;
        println!("left DDIM, right DDIM + KDS: {}", path.display());
    }
    Ok(())
}

/// Draws the density and the samples over it.
fn draw(picture: &mut RgbImage, left: u32, samples: &[Point]) {
    const LIGHT: [f64; 3] = [247.0, 249.0, 252.0];
    const DARK: [f64; 3] = [66.0, 110.0, 170.0];
    const DISC: [f64; 3] = [214.0, 80.0, 30.0];
    let scale = f64::from(SIDE) / (2.0 * EXTENT);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let at = [(f64::from(column) + 0.5) / scale - EXTENT, EXTENT - (f64::from(row) + 0.5) / scale];
            let mut colour = blend(LIGHT, DARK, density(at).min(1.0));
            for sample in samples {
                let distance = scale * (at[0] - sample[0]).hypot(at[1] - sample[1]);
                // A white rim tells discs that touch apart; the edges are one pixel soft.
                colour = blend(colour, [255.0; 3], (RADIUS + 1.5 - distance).clamp(0.0, 1.0));
                colour = blend(colour, DISC, (RADIUS - distance).clamp(0.0, 1.0));
            }
            picture.put_pixel(left + column, row, Rgb(colour.map(|value| value.round() as u8)));
        }
    }
}

fn blend(below: [f64; 3], above: [f64; 3], share: f64) -> [f64; 3] {
    std::array::from_fn(|channel| below[channel] + share * (above[channel] - below[channel]))
}
