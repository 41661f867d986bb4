//! Accounts, each an actor of ractor, under a supervisor that starts them again: by lines over TCP.
//!
//! Start it with `cargo hotswap run -p actors` (`-- 0.0.0.0:8000` for another address), talk to it with
//! `nc localhost 8000` (`ann add 5`, `ann show`, `ann fail`), and edit `account`: what an account says and
//! does, and what it has as its state. Actors, mailboxes, supervisor and connections stay; the next message
//! of each actor is handled by the new code.
//!
//! `hotswap::Server` brings its own loop, mailboxes and restarts. Here all of that is ractor's, and two rules
//! make it the same: a handler does nothing but call an entry, and the state is in a cell.

mod account;
mod bank;

use std::{env, io};

use ractor::{Actor, ActorRef, call};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use account::Order;
use bank::{Bank, Find};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let bank = Actor::spawn(Some("bank".to_owned()), Bank, ()).await;
    let (bank, _) = bank.map_err(io::Error::other)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let bank = bank.clone();
        tokio::spawn(async move {
            // A client that went away is no trouble of the others.
            let _ = serve(stream, bank).await;
        });
    }
}

/// One client's loop. It only moves lines.
async fn serve(stream: TcpStream, bank: ActorRef<Find>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = answer(&bank, &line).await;
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// What the account says that a line begins with.
async fn answer(bank: &ActorRef<Find>, line: &str) -> String {
    let (name, what) = line.split_once(' ').unwrap_or((line, "show"));
    let account = match call!(bank, Find::new, name.to_owned()) {
        Ok(Some(account)) => account,
        Ok(None) => return format!("{name} can't be opened"),
        Err(error) => return format!("there is no bank any more: {error}"),
    };
    match call!(account, Order::new, what.to_owned()) {
        Ok(answer) => answer,
        Err(_) => format!("{name} has failed"),
    }
}
