//! Filling what is not known of a picture from what is around it.

use tch::{Kind, Tensor};

use crate::Result;

/// Fills the holes of a picture (`1 x C x h x w`) where `hole` (`1 x 1 x h x w`) is 1; where it is 0 the picture stays.
/// Where nothing is known at all, the result is 0.
///
/// Push-pull: ever coarser means of what is known, each filling the holes of the finer one. The models were trained with
/// exactly this: `fill` in `tools/train/photo_x1.py`.
pub fn fill(picture: &Tensor, hole: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = picture.size4()?;
    if (height.max(width)) == 1 || hole.f_max()?.f_double_value(&[])? == 0.0 {
        return Ok(picture.shallow_clone());
    }
    let halved = |map: &Tensor| map.f_avg_pool2d([2, 2], [2, 2], [0, 0], true, true, None);
    let known = hole.f_eq(0.0)?.f_to_kind(Kind::Float)?;
    let share = halved(&known)?;
    let coarse = halved(&picture.f_mul(&known)?)?.f_div(&share.f_clamp_min(1e-6)?)?;
    let coarse = fill(&coarse, &share.f_eq(0.0)?.f_to_kind(Kind::Float)?)?;
    let fine = coarse.f_upsample_bilinear2d([height, width], false, None::<f64>, None::<f64>)?;
    Ok(fine.f_where_self(&hole.f_gt(0.0)?, picture)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn map(size: [i64; 2], value: impl Fn(i64, i64) -> f32) -> Tensor {
        let [height, width] = size;
        let values: Vec<f32> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect();
        Tensor::f_from_slice(&values).unwrap().f_reshape([1, 1, height, width]).unwrap()
    }

    #[test]
    fn a_hole_takes_the_colours_around_it_and_the_rest_stays() {
        for size in [[1, 1], [1, 9], [17, 1], [37, 53]] {
            // A slope with a hole in its middle.
            let picture = map(size, |x, y| (x + y) as f32 / 100.0);
            let hole = map(size, |x, y| f32::from((5..40).contains(&x) && (3..30).contains(&y)));
            let spoilt = &picture + &hole * 1000.0;
            let filled = fill(&spoilt, &hole).unwrap();
            let inside = hole.eq(1.0);
            let outside_change = ((&filled - &spoilt) * hole.eq(0.0)).abs().max().double_value(&[]);
            assert_eq!(outside_change, 0.0, "{size:?}");
            assert!(filled.max().double_value(&[]) <= picture.max().double_value(&[]) + 1e-5, "{size:?}");
            if inside.any().int64_value(&[]) == 1 && size == [37, 53] {
                let error = ((&filled - &picture) * inside).abs().max().double_value(&[]);
                assert!(error < 0.25, "{error}");
            }
        }
    }

    #[test]
    fn where_nothing_is_known_the_result_is_finite() {
        let all = Tensor::ones([1, 1, 7, 5], (Kind::Float, Device::Cpu));
        assert_eq!(fill(&(&all * 3.0), &all).unwrap().abs().max().double_value(&[]), 0.0);
    }
}
