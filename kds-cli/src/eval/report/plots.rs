//! Plots of the results, as SVG.

use anyhow::anyhow;
use kds_metrics::{Reliability, TAKEN_AWAY};
use plotters::prelude::*;

use super::super::{
    method::Method,
    metric::{Metric, score},
    summary::Summary,
};

/// A plot.
pub struct Plot {
    /// Name of its file, without `.svg`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Its contents.
    pub svg: String,
}

const SIZE: (u32, u32) = (720, 420);
const FONT: &str = "sans-serif";
/// Colours of methods with steering.
const STEERED: [RGBColor; 4] = [RED, RGBColor(255, 140, 0), RGBColor(140, 0, 0), RGBColor(255, 120, 160)];
/// Colours of methods without steering.
const PALETTE: [RGBColor; 5] = [BLACK, BLUE, GREEN, MAGENTA, CYAN];

/// Plots of an evaluation: fidelity against perceptual distance, gains of steering by picture, and the sparsification curve;
/// without those whose methods or metrics were not evaluated.
///
/// # Errors
/// When the plotter fails.
pub fn all(summary: &Summary) -> anyhow::Result<Vec<Plot>> {
    let mut plots = Vec::new();
    let perceptual =
        [Metric::Lpips, Metric::Dists, Metric::Niqe].into_iter().find(|metric| summary.metrics().contains(metric));
    if let Some(metric) = perceptual {
        plots.extend(trade_off(summary, metric)?);
    }
    for metric in summary.metrics().into_iter().filter(|metric| matches!(metric, Metric::PsnrLuma | Metric::Lpips)) {
        plots.extend(gains(summary, metric, Gain::Mean)?);
        plots.extend(gains(summary, metric, Gain::Worst)?);
    }
    plots.extend(summary.confidence.as_ref().map(|confidence| sparsification(&confidence.reliability)).transpose()?);
    Ok(plots)
}

/// A metric by the value of a parameter, a curve for each method.
///
/// # Errors
/// When the plotter fails.
pub fn curves(name: &str, values: &[&str], metric: Metric, curves: &[(String, Vec<f64>)]) -> anyhow::Result<Plot> {
    let title = format!("{} by {name}", metric.title());
    let svg = draw(|area| {
        let up = range(curves.iter().flat_map(|(_, points)| points.iter().copied()));
        let last = values.len().saturating_sub(1) as f64;
        let mut chart = ChartBuilder::on(area)
            .caption(&title, (FONT, 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(-0.2..last + 0.2, up)?;
        let label = |at: &f64| {
            let near = (at - at.round()).abs() < 1e-6 && *at >= 0.0;
            values.get(at.round() as usize).filter(|_| near).map_or(String::new(), |value| (*value).to_owned())
        };
        let marks = 2 * values.len() + 1;
        chart.configure_mesh().x_desc(name).x_labels(marks).x_label_formatter(&label).y_desc(metric.title()).draw()?;
        let unsteered = curves.iter().filter(|(method, _)| !method.starts_with("KDS")).count();
        for (index, (method, points)) in curves.iter().enumerate() {
            let color = match method.starts_with("KDS") {
                true => STEERED[index.saturating_sub(unsteered) % STEERED.len()],
                false => PALETTE[index % PALETTE.len()],
            };
            let points: Vec<(f64, f64)> = points.iter().enumerate().map(|(at, point)| (at as f64, *point)).collect();
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(method)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.filled()).border_style(BLACK).draw()?;
        Ok(())
    })?;
    Ok(Plot { name: format!("{}-by-{name}", metric.key()), title, svg })
}

/// The mean error that is left when the most doubtful pixels are taken away: by the map, and by the true errors.
fn sparsification(reliability: &Reliability) -> anyhow::Result<Plot> {
    let title = "Error that is left without the most doubtful pixels".to_owned();
    let curves = [("by the map", &reliability.sparsification, RED), ("by the true errors", &reliability.oracle, BLUE)];
    let most = reliability.sparsification.iter().copied().fold(0.0, f64::max);
    let svg = draw(|area| {
        let mut chart = ChartBuilder::on(area)
            .caption(&title, (FONT, 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..0.9, 0.0..most * 1.1 + 1e-6)?;
        chart.configure_mesh().x_desc("share of the pixels taken away").y_desc("mean error, levels of 255").draw()?;
        for (name, curve, color) in curves {
            let points = TAKEN_AWAY.into_iter().zip(curve.iter().copied());
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.filled()).border_style(BLACK).draw()?;
        Ok(())
    })?;
    Ok(Plot { name: "sparsification".to_owned(), title, svg })
}

/// Each method at its mean PSNR (across) and its mean perceptual distance (up).
fn trade_off(summary: &Summary, metric: Metric) -> anyhow::Result<Option<Plot>> {
    let points: Vec<(f64, f64, &str)> = summary
        .means
        .iter()
        .filter_map(|mean| {
            Some((score(&mean.scores, Metric::PsnrLuma)?, score(&mean.scores, metric)?, mean.title.as_str()))
        })
        .collect();
    if points.is_empty() {
        return Ok(None);
    }
    let title = format!("{} against {} (best: lower right)", metric.title(), Metric::PsnrLuma.title());
    let svg = draw(|area| {
        let (across, up) = (range(points.iter().map(|point| point.0)), range(points.iter().map(|point| point.1)));
        let mut chart = ChartBuilder::on(area)
            .caption(&title, (FONT, 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(across, up)?;
        chart.configure_mesh().x_desc(Metric::PsnrLuma.title()).y_desc(metric.title()).draw()?;
        chart.draw_series(points.iter().map(|&(x, y, title)| {
            let style = if title.starts_with("KDS") { RED.filled() } else { BLUE.filled() };
            EmptyElement::at((x, y)) + Circle::new((0, 0), 5, style) + Text::new(title.to_owned(), (8, -6), (FONT, 13))
        }))?;
        Ok(())
    })?;
    Ok(Some(Plot { name: format!("{}-against-psnr", metric.key()), title, svg }))
}

/// The two methods of a gain plot.
#[derive(Debug, Clone, Copy)]
enum Gain {
    /// KDS against the mean single particle.
    Mean,
    /// The worst particle with steering against the worst without.
    Worst,
}

/// Gain of steering, per picture, in ascending order.
fn gains(summary: &Summary, metric: Metric, of: Gain) -> anyhow::Result<Option<Plot>> {
    let (steered, single, what, file) = match of {
        Gain::Mean => (Method::Kds, Method::SingleMean, "KDS on one particle", "gain"),
        Gain::Worst => (Method::KdsWorst, Method::SingleWorst, "the worst particle by steering", "worst"),
    };
    let value = |picture: &super::super::method::Outcomes, method: Method| {
        let outcome = picture.methods.iter().find(|outcome| outcome.method == method.key())?;
        score(&outcome.scores, metric)
    };
    let gain = |picture| {
        let gain = value(picture, steered)? - value(picture, single)?;
        Some(if metric.rises() { gain } else { -gain })
    };
    let mut gains: Vec<f64> = summary.pictures.iter().filter_map(gain).collect();
    if gains.is_empty() {
        return Ok(None);
    }
    gains.sort_by(f64::total_cmp);
    let title = format!("Gain of {what} in {}, by picture", metric.title());
    let svg = draw(|area| {
        let up = range(gains.iter().copied().chain([0.0]));
        let mut chart = ChartBuilder::on(area)
            .caption(&title, (FONT, 18))
            .margin(12)
            .x_label_area_size(30)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..gains.len() as f64, up)?;
        chart.configure_mesh().disable_x_mesh().x_labels(0).y_desc("gain (positive: KDS is better)").draw()?;
        chart.draw_series(gains.iter().enumerate().map(|(index, gain)| {
            let style = if *gain > 0.0 { RED.mix(0.7).filled() } else { BLACK.mix(0.5).filled() };
            Rectangle::new([(index as f64 + 0.1, 0.0), (index as f64 + 0.9, *gain)], style)
        }))?;
        Ok(())
    })?;
    Ok(Some(Plot { name: format!("{file}-{}", metric.key()), title, svg }))
}

/// Range of an axis: all values, with a margin at both ends.
fn range(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let (least, most) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
    let room = ((most - least) * 0.15).max(most.abs() * 0.01).max(1e-6);
    least - room..most + room
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type DrawingResult = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw(draw: impl FnOnce(&Area<'_>) -> DrawingResult) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let whole = area.fill(&WHITE).and_then(|()| draw(&area)).and_then(|()| area.present());
        whole.map_err(|error| anyhow!("a plot cannot be drawn: {error}"))?;
    }
    Ok(svg)
}
