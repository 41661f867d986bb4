//! A chat by lines over TCP: the first line is the name, the rest is said to all others.
//!
//! Start it with `cargo hotswap run -p chat` (`-- 0.0.0.0:7000` for another address), connect
//! with `nc localhost 7000` from two terminals, and edit `handle`: clients stay connected, their
//! next lines are handled by the new code. A line that is being handled ends on the old one:
//! `/ask` waits for somebody's answer, over a swap if need be.

mod room;

use std::{env, io, sync::Arc};

use room::{Member, Room};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let room = Arc::new(Room::default());
    loop {
        let (stream, _) = listener.accept().await?;
        let room = Arc::clone(&room);
        tokio::spawn(async move {
            // A client that went away is no trouble of the others.
            let _ = serve(&room, stream).await;
        });
    }
}

/// One client's loop. It lives as long as the client does, so it is no entry: it only moves
/// lines, and asks the current version what to do with each.
async fn serve(room: &Room, stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let Some(name) = lines.next_line().await? else {
        return Ok(());
    };
    let (member, mut incoming) = room.enter(name);
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
        handle(room, &member, &line).await;
    }
    room.leave(&member);
    Ok(())
}

/// The entry: what a line means.
#[hotswap::entry]
async fn handle(room: &Room, member: &Member, line: &str) {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("/who", _) => member.hear(&format!("here: {}", room.names().join(", "))),
        ("/ask", question) => {
            let (name, answer) = room.ask(member, question).await;
            member.hear(&format!("{name} answers: {answer}"));
        }
        _ => room.say(member, line),
    }
}
