//! Spawns a task for each line that asks for one.

use std::sync::Arc;

use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    sync::{Semaphore, mpsc},
};

#[tokio::main]
async fn main() {
    let mut lines = BufReader::new(stdin()).lines();
    let gate = Arc::new(Semaphore::new(0));
    let (began, mut begun) = mpsc::channel(1);
    let mut tasks = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(name) = line.strip_prefix("begin ") {
            tasks.push(tokio::spawn(work(name.to_owned(), began.clone(), gate.clone())));
            println!("began {}", begun.recv().await.unwrap());
        } else {
            gate.add_permits(tasks.len());
            let mut ends = Vec::new();
            for task in tasks.drain(..) {
                ends.push(task.await.unwrap());
            }
            println!("{}", ends.join(", "));
        }
    }
}

#[hotswap::entry]
async fn work(name: String, began: mpsc::Sender<String>, gate: Arc<Semaphore>) -> String {
    began.send(name.clone()).await.unwrap();
    gate.acquire().await.unwrap().forget();
    format!("{name} {}", word())
}

fn word() -> &'static str {
    "one"
}
