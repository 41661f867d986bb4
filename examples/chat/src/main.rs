//! A chat by lines over TCP: the first line is the name, the rest is said to all others in the room.
//!
//! Start it with `cargo hotswap run -p chat` (`-- 0.0.0.0:7000` for another address), connect
//! with `nc localhost 7000` from two terminals, and edit `handle`: clients stay connected, their
//! next lines are handled by the new code. A line that is being handled ends on the old one:
//! `/ask` waits for somebody's answer, over a swap if need be. Rooms, members and what was said are
//! in `hall`, and may change their types while everybody talks.

mod hall;

use std::{env, io};

use hall::MemberId;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::UnboundedReceiver,
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A client that went away is no trouble of the others.
            let _ = serve(stream).await;
        });
    }
}

/// One client's loop. It lives as long as the client does, so it is no entry: it only moves
/// lines, and asks the current version what to do with each. It knows the client by a number, as
/// what it held of the state itself would be of its own version.
async fn serve(stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let Some(name) = lines.next_line().await? else {
        return Ok(());
    };
    let (member, mut incoming) = enter(&name);
    tokio::spawn(async move {
        while let Some(line) = incoming.recv().await {
            if writer
                .write_all(format!("{line}\n").as_bytes())
                .await
                .is_err()
            {
                return;
            }
        }
    });
    while let Ok(Some(line)) = lines.next_line().await {
        handle(member, &line).await;
    }
    leave(member);
    Ok(())
}

/// An entry: somebody comes.
#[hotswap::entry]
fn enter(name: &str) -> (MemberId, UnboundedReceiver<String>) {
    hall::enter(name)
}

/// An entry: somebody goes.
#[hotswap::entry]
fn leave(member: MemberId) {
    hall::leave(member);
}

/// The entry that matters: what a line means.
#[hotswap::entry]
async fn handle(member: MemberId, line: &str) {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("/who", _) => hall::who(member),
        ("/join", room) => hall::join(member, room),
        ("/history", _) => hall::history(member),
        ("/ask", question) => {
            let (name, answer) = hall::ask(member, question).await;
            hall::tell(member, &format!("{name} answers: {answer}"));
        }
        _ => hall::say(member, line),
    }
}
