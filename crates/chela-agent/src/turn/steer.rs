//! Messages that a run takes up while it works: written after the tools' results, read by the next model call (CH-132).

use chela_models::ModelRequest;

use super::queued::quiet_outcome;
use super::{TurnError, TurnScope, write};
use crate::clock::now_ms;
use crate::message;
use crate::queue::{Offered, Told};

/// Writes the messages into the transcript and adds them to the conversation; their runs end with the same commit.
pub(super) async fn take_up(scope: &mut TurnScope<'_>, taken: Vec<Offered>, request: &mut ModelRequest) -> Result<(), TurnError> {
    if taken.is_empty() {
        return Ok(());
    }
    let messages = taken.iter().map(|o| message::user(&o.text, &o.images, now_ms())).collect();
    let runs = taken.iter().filter(|o| !o.goes_on);
    let runs = runs.map(|o| crate::journal::finished(&quiet_outcome(&o.run_id, scope.session_key(), scope.session_id(), "steered")));
    let closing = write::Closing { row: None, runs: runs.collect() };
    let before = scope.written.len();
    write::append(scope, messages, closing).await?;
    // What a hook kept out of the transcript is not for the model either.
    request.messages.extend(scope.written[before..].iter().filter_map(message::to_chat));
    for offered in taken {
        let _ = offered.told.send(Told::Taken { session_id: scope.session_id().to_string() });
    }
    Ok(())
}
