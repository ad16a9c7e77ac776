//! `api.runtime.media`: what of it the host computes (RT-117), and media that plugins host (API-039).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_image::Resize;
use chela_plugin::{Call, CallError};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Reply, Request, failed};
use crate::assemble::Host;

/// Longest answer of one resolver of hosted media.
const RESOLVE_BUDGET: std::time::Duration = std::time::Duration::from_secs(5);
/// Longest address or path that a resolver may give, in bytes.
const LONGEST_PLACE: usize = 4096;

/// Pictures that are worked on at once, for all plugins: each may take some hundred megabytes.
static PLACES: Semaphore = Semaphore::const_new(2);

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.media.resizeToJpeg" => resize(request, "resizeToJpeg", chela_image::resize_to_jpeg).await,
        // PNG has no quality.
        "host.media.resizeToPng" => resize(request, "resizeToPng", chela_image::resize_to_png).await,
        "host.media.resolveHosted" => Ok(request.host.hosted_media(request.text("url")?).await.into()),
        other => Err(CallError::NotBuilt(other.into())),
    }
}

impl Host {
    /// What the plugins that host media make of an address: a file or another address of the first one that knows it (API-039). A
    /// resolver that fails is passed over.
    pub(crate) async fn hosted_media(&self, url: &str) -> Option<String> {
        let registry = self.manager.registry();
        for entry in registry.recorded_of("registerHostedMediaResolver") {
            let Some(resolver) = entry.callbacks.first() else { continue };
            match resolver.call(Call::new(vec![url.into()]).budget(Some(RESOLVE_BUDGET))).await {
                Ok(Value::String(place)) if !place.trim().is_empty() && place.len() <= LONGEST_PLACE => return Some(place),
                Ok(_) => {}
                Err(error) => tracing::debug!(target: "plugins", plugin = %entry.owner.id, "resolver of hosted media failed: {error}"),
            }
        }
        None
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
