//! Writes messages to a connection, large ones past the WebSocket library's buffer.
//!
//! The library copies every frame into a buffer that keeps the size of the largest burst for as long as the connection lives. The hello
//! and the presence list of a busy gateway are large and go to everyone.

use super::connection::Socket;
use crate::events::Outgoing;
use futures::SinkExt;
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// Messages from this size on are written directly; smaller ones share the library's buffer, and with it their system calls.
const DIRECT_BYTES: usize = 4 * 1024;
/// `FIN` and the opcode of text.
const TEXT: u8 = 0x81;
/// Longest header of a frame that carries no mask.
const MAX_HEADER: usize = 10;

/// The writing side of one connection.
#[derive(Default)]
pub(crate) struct FrameWriter {
    /// A large message that has not left whole. It is kept here, so that a write that is cancelled goes on where it stopped.
    open: Option<Open>,
}

struct Open {
    header: [u8; MAX_HEADER],
    header_len: usize,
    message: Outgoing,
    done: usize,
}

impl FrameWriter {
    /// Hands over one message. Small ones may wait for [`FrameWriter::flush`].
    pub(crate) async fn feed<S>(&mut self, socket: &mut Socket<S>, message: Outgoing) -> Result<(), WsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.finish_open(socket).await?;
        if message.len() < DIRECT_BYTES {
            return socket.feed(Message::Text(message.into_text())).await;
        }
        self.open = Some(Open::new(message));
        self.finish_open(socket).await
    }

    /// Writes all that was handed over.
    pub(crate) async fn flush<S>(&mut self, socket: &mut Socket<S>) -> Result<(), WsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.finish_open(socket).await?;
        socket.flush().await
    }

    /// True while a message is cut in the middle: nothing else may be written then.
    pub(crate) fn is_midway(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.done > 0)
    }

    async fn finish_open<S>(&mut self, socket: &mut Socket<S>) -> Result<(), WsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.done == 0 {
            // What the library holds comes first.
            socket.flush().await?;
        }
        let io = socket.get_mut();
        while open.done < open.len() {
            let written = io.write_vectored(&open.rest()).await?;
            if written == 0 {
                return Err(WsError::Io(io::ErrorKind::WriteZero.into()));
            }
            open.done += written;
        }
        self.open = None;
        Ok(())
    }
}

impl Open {
    fn new(message: Outgoing) -> Self {
        let (header, header_len) = header(message.len());
        Open { header, header_len, message, done: 0 }
    }

    fn len(&self) -> usize {
        self.header_len + self.message.len()
    }

    /// What is still to be written.
    fn rest(&self) -> [IoSlice<'_>; 3] {
        let (head, tail) = self.message.parts();
        let mut skip = self.done;
        [&self.header[..self.header_len], head.as_bytes(), tail.as_bytes()].map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            IoSlice::new(&part[from..])
        })
    }
}

/// The header of a whole text message of a server (RFC 6455, 5.2).
fn header(len: usize) -> ([u8; MAX_HEADER], usize) {
    let mut out = [0; MAX_HEADER];
    out[0] = TEXT;
    if let (Ok(short), true) = (u8::try_from(len), len < 126) {
        out[1] = short;
        return (out, 2);
    }
    if let Ok(medium) = u16::try_from(len) {
        out[1] = 126;
        out[2..4].copy_from_slice(&medium.to_be_bytes());
        return (out, 4);
    }
    out[1] = 127;
    out[2..].copy_from_slice(&(len as u64).to_be_bytes());
    (out, MAX_HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::io::LimitedIo;
    use futures::StreamExt;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    async fn pair(room: usize) -> (Socket<tokio::io::DuplexStream>, WebSocketStream<tokio::io::DuplexStream>) {
        let (near, far) = tokio::io::duplex(room);
        let server = WebSocketStream::from_raw_socket(LimitedIo::new(near, usize::MAX), Role::Server, None).await;
        (server, WebSocketStream::from_raw_socket(far, Role::Client, None).await)
    }

    fn message(head: usize, tail: usize) -> Outgoing {
        Outgoing::new("h".repeat(head).into(), "t".repeat(tail))
    }

    // GW-02
    #[tokio::test]
    async fn messages_of_every_size_arrive_whole_and_in_order() {
        let sizes = [(1, 0), (100, 30), (4000, 95), (4000, 96), (0, 5000), (65_000, 535), (65_000, 536), (300_000, 7), (3, 2)];
        let (mut server, mut client) = pair(1000).await;
        let sender = tokio::spawn(async move {
            let mut writer = FrameWriter::default();
            for (head, tail) in sizes {
                writer.feed(&mut server, message(head, tail)).await.unwrap();
            }
            writer.flush(&mut server).await.unwrap();
            server
        });
        for (head, tail) in sizes {
            let text = client.next().await.unwrap().unwrap().into_text().unwrap();
            assert_eq!(text.as_str(), message(head, tail).into_text().as_str());
        }
        drop(sender.await.unwrap());
    }

    #[tokio::test]
    async fn a_write_that_was_cancelled_goes_on_where_it_stopped() {
        let (mut server, mut client) = pair(1000).await;
        let mut writer = FrameWriter::default();
        let fed = {
            let feed = writer.feed(&mut server, message(50_000, 3));
            futures::poll!(std::pin::pin!(feed))
        };
        assert!(fed.is_pending(), "the peer has not read yet");
        assert!(writer.is_midway());
        let sender = tokio::spawn(async move {
            writer.feed(&mut server, message(2, 2)).await.unwrap();
            writer.flush(&mut server).await.unwrap();
            assert!(!writer.is_midway());
            server
        });
        for expected in [message(50_000, 3), message(2, 2)] {
            let text = client.next().await.unwrap().unwrap().into_text().unwrap();
            assert_eq!(text.as_str(), expected.into_text().as_str());
        }
        drop(sender.await.unwrap());
    }
}
