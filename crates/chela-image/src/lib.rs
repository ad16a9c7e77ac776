//! Pictures of strangers made smaller: PNG, JPEG, WebP and GIF are decoded within limits, turned upright, and written as JPEG or PNG (RT-117).
//!
//! Blocks the thread that calls it for as long as the work takes; call it where that is allowed.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};

/// Largest file that is looked at, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 25_000_000;
/// Longest side that can be asked for, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Memory of one decoding, in bytes: 25 million pixels of four 16-bit values, and as much again.
const MAX_ALLOC: u64 = 400 * 1024 * 1024;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Longest side of the result, in pixels.
    pub max_side: u32,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// A smaller picture keeps its size.
    pub without_enlargement: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Too large a file.
    #[error("the picture has {0} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge(usize),
    /// Too many pixels.
    #[error("the picture has {0}x{1} pixels, more than the {MAX_PIXELS} that are decoded")]
    TooManyPixels(u32, u32),
    /// A side or quality out of range.
    #[error("`maxSide` must be 1 to {MAX_SIDE} and `quality` 1 to 100")]
    Options,
    /// No picture, or one of another kind.
    #[error("the picture cannot be read: {0}; PNG, JPEG, WebP and GIF can be")]
    Unreadable(String),
    /// The result could not be written.
    #[error("the picture could not be written: {0}")]
    Unwritable(String),
}

/// Reads a picture and writes it as JPEG, no side longer than asked for. Transparent parts become white, the first frame stands for a
/// moving picture.
///
/// # Errors
/// See [`ImageError`].
pub fn resize_to_jpeg(bytes: &[u8], wanted: Resize) -> Result<Vec<u8>, ImageError> {
    if !(1..=MAX_SIDE).contains(&wanted.max_side) || !(1..=100).contains(&wanted.quality) {
        return Err(ImageError::Options);
    }
    let flat = flattened(&sized(bytes, wanted)?);
    let mut out = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut out, wanted.quality);
    flat.write_with_encoder(encoder).map_err(|error| ImageError::Unwritable(error.to_string()))?;
    Ok(out)
}

/// Reads a picture and writes it as PNG, no side longer than asked for; transparent parts stay so, the first frame stands for a moving
/// picture, and `quality` is not used.
///
/// # Errors
/// See [`ImageError`].
pub fn resize_to_png(bytes: &[u8], wanted: Resize) -> Result<Vec<u8>, ImageError> {
    if !(1..=MAX_SIDE).contains(&wanted.max_side) {
        return Err(ImageError::Options);
    }
    let picture = sized(bytes, wanted)?;
    let plain = if picture.color().has_alpha() { DynamicImage::from(picture.to_rgba8()) } else { DynamicImage::from(picture.to_rgb8()) };
    let mut out = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut out, CompressionType::Default, PngFilter::Adaptive);
    plain.write_with_encoder(encoder).map_err(|error| ImageError::Unwritable(error.to_string()))?;
    Ok(out)
}

fn sized(bytes: &[u8], wanted: Resize) -> Result<DynamicImage, ImageError> {
    let picture = upright(bytes)?;
    let longest = picture.width().max(picture.height());
    let side = if wanted.without_enlargement { wanted.max_side.min(longest) } else { wanted.max_side };
    Ok(if side == longest { picture } else { picture.resize(side, side, FilterType::Lanczos3) })
}

fn upright(bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImageError::TooLarge(bytes.len()));
    }
    let unreadable = |error: image::ImageError| ImageError::Unreadable(error.to_string());
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| ImageError::Unreadable(error.to_string()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels(width, height));
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The picture on white.
fn flattened(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let from = picture.to_rgba8();
    let mut out = RgbImage::new(from.width(), from.height());
    for (to, pixel) in out.pixels_mut().zip(from.pixels()) {
        let [red, green, blue, alpha] = pixel.0.map(u32::from);
        let on_white = |value: u32| u8::try_from((value * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX);
        *to = Rgb([on_white(red), on_white(green), on_white(blue)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgba, RgbaImage};

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = RgbaImage::from_fn(width, height, |x, _| if x < width / 2 { Rgba([200, 0, 0, 255]) } else { Rgba([0, 0, 0, 0]) });
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    fn size(jpeg: &[u8]) -> (u32, u32) {
        assert_eq!(image::guess_format(jpeg).unwrap(), ImageFormat::Jpeg);
        let picture = image::load_from_memory(jpeg).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn sides_keep_their_ratio_and_grow_only_when_asked() {
        let wanted = |max_side, without_enlargement| Resize { max_side, quality: 80, without_enlargement };
        for (side, without, expected) in [(50, true, (50, 25)), (400, true, (100, 50)), (400, false, (400, 200)), (1, true, (1, 1))] {
            assert_eq!(size(&resize_to_jpeg(&png(100, 50), wanted(side, without)).unwrap()), expected, "{side} {without}");
        }
        let flat = image::load_from_memory(&resize_to_jpeg(&png(100, 50), wanted(100, true)).unwrap()).unwrap().to_rgb8();
        assert!(flat.get_pixel(90, 25).0.iter().all(|value| *value > 245), "what was transparent is white");
        assert!(flat.get_pixel(10, 25).0[0] > 150);
    }

    #[test]
    fn png_keeps_what_is_transparent() {
        let wanted = Resize { max_side: 50, quality: 0, without_enlargement: true };
        let made = resize_to_png(&png(100, 50), wanted).unwrap();
        assert_eq!(image::guess_format(&made).unwrap(), ImageFormat::Png);
        let picture = image::load_from_memory(&made).unwrap().to_rgba8();
        assert_eq!(picture.dimensions(), (50, 25));
        assert_eq!((picture.get_pixel(5, 5).0[3], picture.get_pixel(45, 5).0[3]), (255, 0));
        assert!(matches!(resize_to_png(b"no picture", wanted), Err(ImageError::Unreadable(_))));
        assert!(matches!(resize_to_png(&png(4, 4), Resize { max_side: 0, ..wanted }), Err(ImageError::Options)));
    }

    #[test]
    fn what_cannot_be_read_or_asked_for_is_an_error() {
        let wanted = Resize { max_side: 10, quality: 80, without_enlargement: true };
        assert!(matches!(resize_to_jpeg(b"no picture", wanted), Err(ImageError::Unreadable(_))));
        assert!(matches!(resize_to_jpeg(&png(4, 4)[..20], wanted), Err(ImageError::Unreadable(_))));
        for bad in [Resize { max_side: 0, ..wanted }, Resize { quality: 0, ..wanted }, Resize { max_side: MAX_SIDE + 1, ..wanted }] {
            assert!(matches!(resize_to_jpeg(&png(4, 4), bad), Err(ImageError::Options)), "{bad:?}");
        }
        // A header that promises more pixels than are decoded; its data is never read.
        let mut huge = png(4, 4);
        huge[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        huge[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        assert!(resize_to_jpeg(&huge, wanted).is_err());
    }
}
