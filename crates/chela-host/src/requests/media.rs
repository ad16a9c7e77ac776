//! `api.runtime.media`: what of it the host computes (RT-117).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_image::Resize;
use chela_plugin::CallError;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Reply, Request, failed};

/// Pictures that are worked on at once, for all plugins: each may take some hundred megabytes.
static PLACES: Semaphore = Semaphore::const_new(2);

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.media.resizeToJpeg" => resize(request, "resizeToJpeg", chela_image::resize_to_jpeg).await,
        // PNG has no quality.
        "host.media.resizeToPng" => resize(request, "resizeToPng", chela_image::resize_to_png).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

type Make = fn(&[u8], Resize) -> Result<Vec<u8>, chela_image::ImageError>;

/// `({buffer, maxSide, quality, withoutEnlargement?})` -> the picture.
async fn resize(request: &Request<'_>, name: &str, make: Make) -> Reply {
    let refuse = |text: String| CallError::refused("INVALID_PARAMS", text);
    let given = &request.params["args"][0];
    let encoded = given["buffer"]["$bytes"].as_str().ok_or_else(|| refuse(format!("`{name}` needs `buffer`, the bytes of a picture")))?;
    let number = |name: &str| given[name].as_f64().filter(|n| n.is_finite()).map(f64::round);
    let (Some(side), Some(quality)) = (number("maxSide"), number("quality")) else {
        return Err(refuse(format!("`{name}` needs the numbers `maxSide` and `quality`")));
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and the crate checks both ranges")]
    let wanted = Resize { max_side: side as u32, quality: quality as u8, without_enlargement: given["withoutEnlargement"] != false };
    let bytes = STANDARD.decode(encoded).map_err(|error| refuse(format!("`buffer`: {error}")))?;
    let _place = PLACES.acquire().await.map_err(failed)?;
    let work = tokio::task::spawn_blocking(move || make(&bytes, wanted));
    let made = work.await.map_err(failed)?.map_err(|error| CallError::refused("IMAGE_REFUSED", error.to_string()))?;
    Ok(json!({"$bytes": STANDARD.encode(made)}))
}
