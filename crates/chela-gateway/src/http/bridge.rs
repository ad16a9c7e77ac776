//! Carries the bytes of an upgraded connection between its client and the plugin that took it (API-164).

use super::api::UpgradedRoute;
use bytes::Bytes;
use futures::StreamExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Largest piece read from a client at once. The plugin asks for a few ahead, and nothing is read beyond them.
const PIECE: usize = 16 * 1024;
/// Time in which the other side may still speak after one side has ended.
const LINGER: Duration = Duration::from_secs(30);

/// Serves the connection until either side is done, the plugin's worker has gone, or `closing` fires. `early` came from the client
/// before the connection was upgraded.
pub(crate) async fn bridge(io: impl AsyncRead + AsyncWrite, early: Bytes, route: UpgradedRoute, closing: &CancellationToken) {
    let (read, write) = tokio::io::split(io);
    let UpgradedRoute { input, output, first, .. } = route;
    let work = async {
        let inbound = std::pin::pin!(pass_in(read, early, input));
        let outbound = std::pin::pin!(pass_out(write, first, output));
        match futures::future::select(inbound, outbound).await {
            // A client that said all it has to may still be listening; a plugin that ended may still be told something.
            futures::future::Either::Left(((), outbound)) => drop(tokio::time::timeout(LINGER, outbound).await),
            futures::future::Either::Right((Ok(()), inbound)) => drop(tokio::time::timeout(LINGER, inbound).await),
            futures::future::Either::Right((Err(error), _)) => tracing::debug!(%error, "an upgraded connection ended"),
        }
    };
    tokio::select! {
        () = work => {}
        () = closing.cancelled() => {}
    }
}

async fn pass_in(mut read: impl AsyncRead + Unpin, early: Bytes, input: mpsc::Sender<io::Result<Bytes>>) {
    if !early.is_empty() && input.send(Ok(early)).await.is_err() {
        return;
    }
    let mut piece = vec![0; PIECE];
    loop {
        let read = tokio::select! {
            read = read.read(&mut piece) => read,
            () = input.closed() => return,
        };
        let item = match read {
            Ok(0) => return,
            Ok(count) => Ok(Bytes::copy_from_slice(&piece[..count])),
            Err(error) => Err(error),
        };
        let last = item.is_err();
        if input.send(item).await.is_err() || last {
            return;
        }
    }
}

async fn pass_out(mut write: impl AsyncWrite + Unpin, first: Bytes, mut output: super::api::ByteStream) -> io::Result<()> {
    write.write_all(&first).await?;
    while let Some(piece) = output.next().await {
        write.write_all(&piece?).await?;
        write.flush().await?;
    }
    write.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use hyper::HeaderMap;

    fn route(output: super::super::api::ByteStream) -> (UpgradedRoute, mpsc::Receiver<io::Result<Bytes>>) {
        let (input, received) = mpsc::channel(1);
        (UpgradedRoute { headers: HeaderMap::new(), first: Bytes::from_static(b"first "), input, output }, received)
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_until_both_have_ended() {
        let (mut client, server) = tokio::io::duplex(64);
        let (route, mut received) = route(stream::iter([Ok(Bytes::from_static(b"second"))]).boxed());
        let closing = CancellationToken::new();
        let talk = async {
            client.write_all(b"from the client").await.unwrap();
            client.shutdown().await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            heard
        };
        let listen = async {
            let mut all = Vec::new();
            while let Some(piece) = received.recv().await {
                all.extend_from_slice(&piece.unwrap());
            }
            all
        };
        let ((), heard, told) = tokio::join!(bridge(server, Bytes::from_static(b"early "), route, &closing), talk, listen);
        assert_eq!((heard.as_str(), told.as_slice()), ("first second", b"early from the client".as_slice()));
    }

    #[tokio::test]
    async fn a_lost_plugin_and_a_stop_end_the_connection() {
        let (mut client, server) = tokio::io::duplex(64);
        let (lost, _received) = route(stream::iter([Err(io::Error::other("the worker has gone"))]).boxed());
        let mut heard = Vec::new();
        let closing = CancellationToken::new();
        tokio::join!(bridge(server, Bytes::new(), lost, &closing), async { client.read_to_end(&mut heard).await.unwrap() });
        assert_eq!(heard, b"first ");
        let (mut client, server) = tokio::io::duplex(64);
        let (idle, _received) = route(stream::pending().boxed());
        closing.cancel();
        tokio::join!(bridge(server, Bytes::new(), idle, &closing), async { client.read_to_end(&mut heard).await.unwrap() });
    }

    #[tokio::test]
    async fn nothing_is_read_ahead_of_a_plugin_that_does_not_take_it() {
        let (mut client, server) = tokio::io::duplex(PIECE);
        let (route, received) = route(stream::pending().boxed());
        let closing = CancellationToken::new();
        let bridging = bridge(server, Bytes::new(), route, &closing);
        let flood = async {
            let mut sent = 0;
            // One piece in the channel, one that waits for a place, one in the pipe.
            while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(200), client.write(&[0; PIECE])).await {
                sent += count;
            }
            sent
        };
        let sent = tokio::select! {
            () = bridging => 0,
            sent = flood => sent,
        };
        assert!(sent > 0 && sent <= 4 * PIECE, "{sent}");
        drop(received);
    }
}
