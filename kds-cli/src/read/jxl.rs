//! JPEG XL files: a bare codestream, or one in a container with metadata.

use image::{DynamicImage, ImageBuffer, metadata::Orientation};
use jxl_oxide::{
    AllocTracker, AuxBoxData, ExtraChannelType, FrameBufferSample, InitializeResult, JxlImage, JxlThreadPool,
    PixelFormat, Render, image::BitDepth,
};

use super::{Decoded, Limits, alpha::straight, broken, cut_short};
use crate::{
    colour,
    metadata::{MOST_BYTES as METADATA, Metadata},
};

/// Width and height that the file claims, upright.
pub fn size(file: &[u8]) -> Option<(u32, u32)> {
    let mut start = builder(METADATA as u64).build_uninit();
    start.feed_bytes(file.get(..METADATA).unwrap_or(file)).ok()?;
    match start.try_init().ok()? {
        InitializeResult::Initialized(image) => Some((image.width(), image.height())),
        InitializeResult::NeedMoreData(_) => None,
    }
}

/// Reads the first picture of a JPEG XL file.
///
/// # Errors
/// For a file that is broken, cut short or too large, of inks, or of high dynamic range.
pub fn decode(file: &[u8], limits: Limits) -> anyhow::Result<Decoded> {
    if let Some((width, height)) = size(file) {
        limits.check(width, height, 1)?;
    }
    let explain = |error: Box<dyn std::error::Error + Send + Sync>| explain(&*error, limits);
    // Filters take copies of the planes.
    let image = builder(2 * limits.most_bytes).read(file).map_err(explain)?;
    let depth = image.image_header().metadata.bit_depth;
    let bytes = match depth {
        BitDepth::IntegerSample { bits_per_sample: ..=8 } => 1,
        BitDepth::IntegerSample { bits_per_sample: ..=16 } => 2,
        _ => 4,
    };
    let format = image.pixel_format();
    // Every channel, also one that is not used, is decoded to a plane of 32 bits.
    let planes = image.image_header().metadata.ec_info.len() + if format.is_grayscale() { 1 } else { 3 };
    limits.check(image.width(), image.height(), 4 * planes)?;
    if format.has_black() {
        anyhow::bail!("has inks instead of colours; convert it with 'djxl in.jxl out.png'");
    }
    let grey = format.is_grayscale();
    let profile = match image.rendered_cicp() {
        Some([primaries, transfer, ..]) => colour::of_code_points(primaries, transfer, grey)?,
        None => Some(image.rendered_icc()),
    };
    if image.num_loaded_keyframes() == 0 {
        return Err(cut_short());
    }
    let render = image.render_frame(0).map_err(explain)?;
    let mut decoded = Decoded { profile, ..Decoded::plain(pixels(&render, format, bytes)?) };
    if is_multiplied(&image) {
        straight(&mut decoded.image);
    }
    decoded.metadata = metadata(&image);
    // The pixels are upright already, whatever EXIF says (ISO/IEC 18181-2, Annex on Exif).
    decoded.orientation = Some(Orientation::NoTransforms);
    if image.num_loaded_keyframes() > 1 {
        decoded
            .warn("is an animation, and only its first picture is restored; take it apart with 'djxl in.jxl out.apng'");
    }
    if matches!(depth, BitDepth::IntegerSample { bits_per_sample: 17.. }) {
        decoded.warn("its integers of more than 16 bits become floating point");
    }
    Ok(decoded)
}

/// The decoder tells only by its words that its limit of memory was reached.
fn explain(error: &(dyn std::error::Error + Send + Sync), limits: Limits) -> anyhow::Error {
    let text = error.to_string();
    if text.contains("out of memory") || text.contains("failed to allocate") {
        limits.exceeded()
    } else {
        broken(&text)
    }
}

/// Without threads of its own.
fn builder(most_bytes: u64) -> jxl_oxide::JxlImageBuilder {
    let limit = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    JxlImage::builder().pool(JxlThreadPool::none()).alloc_tracker(AllocTracker::with_limit(limit))
}

fn pixels(render: &Render, format: PixelFormat, bytes: usize) -> anyhow::Result<DynamicImage> {
    use DynamicImage as D;
    let image = match (format.is_grayscale(), format.has_alpha(), bytes) {
        (true, false, 1) => buffer(render).map(D::ImageLuma8),
        (true, true, 1) => buffer(render).map(D::ImageLumaA8),
        (false, false, 1) => buffer(render).map(D::ImageRgb8),
        (false, true, 1) => buffer(render).map(D::ImageRgba8),
        (true, false, 2) => buffer(render).map(D::ImageLuma16),
        (true, true, 2) => buffer(render).map(D::ImageLumaA16),
        (false, false, 2) => buffer(render).map(D::ImageRgb16),
        (false, true, 2) => buffer(render).map(D::ImageRgba16),
        (false, false, _) => buffer(render).map(D::ImageRgb32F),
        (false, true, _) => buffer(render).map(D::ImageRgba32F),
        // There is no floating-point grey in memory: equal colours stand for it, and stay equal.
        (true, alpha, _) => {
            let each = if alpha { 2 } else { 1 };
            let spread = samples::<f32>(render)
                .chunks_exact(each)
                .flat_map(|pixel| [&[pixel[0]; 3], &pixel[1..]].concat())
                .collect();
            let (width, height) = side(render);
            if alpha {
                ImageBuffer::from_raw(width, height, spread).map(D::ImageRgba32F)
            } else {
                ImageBuffer::from_raw(width, height, spread).map(D::ImageRgb32F)
            }
        }
    };
    image.ok_or_else(|| broken(&"it has fewer samples than pixels"))
}

fn buffer<P: image::Pixel>(render: &Render) -> Option<ImageBuffer<P, Vec<P::Subpixel>>>
where
    P::Subpixel: FrameBufferSample + Default,
{
    let (width, height) = side(render);
    ImageBuffer::from_raw(width, height, samples(render))
}

fn side(render: &Render) -> (u32, u32) {
    let stream = render.stream();
    (stream.width(), stream.height())
}

fn samples<T: FrameBufferSample + Default + Clone>(render: &Render) -> Vec<T> {
    let mut stream = render.stream();
    let count = stream.width() as usize * stream.height() as usize * stream.channels() as usize;
    let mut samples = vec![T::default(); count];
    stream.write_to_buffer(&mut samples);
    samples
}

/// True for premultiplied alpha.
fn is_multiplied(image: &JxlImage) -> bool {
    let channels = &image.image_header().metadata.ec_info;
    channels.iter().any(|channel| matches!(channel.ty, ExtraChannelType::Alpha { alpha_associated: true }))
}

/// Damaged metadata are no reason to refuse the photograph.
fn metadata(image: &JxlImage) -> Metadata {
    let boxes = image.aux_boxes();
    let within = |block: &[u8]| (block.len() <= METADATA).then(|| block.to_vec());
    let exif = match boxes.first_exif() {
        Ok(AuxBoxData::Data(exif)) => exif.payload().get(exif.tiff_header_offset() as usize..).and_then(within),
        _ => None,
    };
    let xmp = match boxes.first_xml() {
        AuxBoxData::Data(xmp) => within(xmp),
        _ => None,
    };
    Metadata { exif, xmp, ..Metadata::default() }
}
