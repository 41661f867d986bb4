//! A store of keys and values that is served by a pool of threads, with the standard library
//! alone.
//!
//! Start it with `cargo hotswap run -p pool` (`-- 0.0.0.0:6000` for another address), talk to it
//! with `nc localhost 6000` (`set`, `get`, `wait`), and edit `answer`: threads, queue,
//! connections and values stay. A `wait` that is under way ends on the old code, and what still
//! stands in the queue begins on the new.

mod threads;

use std::{
    collections::HashMap,
    env,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use threads::ThreadPool;

/// How many connections are served at a time; more of them stand in the queue.
const THREADS: usize = 4;

/// The values, and a bell that rings when one is set.
#[derive(Default)]
struct Store {
    values: Mutex<HashMap<String, String>>,
    changed: Condvar,
}

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:6000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let store = Arc::new(Store::default());
    let pool = ThreadPool::new(THREADS);
    for stream in listener.incoming() {
        let stream = stream?;
        let store = Arc::clone(&store);
        // The pool stores this closure, which is code of the version that made it. So it does
        // nothing but call what may change.
        pool.execute(move || {
            // A client that went away is no trouble of the others.
            let _ = serve(&store, stream);
        });
    }
    Ok(())
}

/// An entry: work from the queue begins on the newest version, however long it stood there.
#[hotswap::entry]
fn serve(store: &Store, stream: TcpStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    writeln!(writer, "welcome to thread {}", threads::name())?;
    for line in BufReader::new(stream).lines() {
        let answer = answer(store, &line?);
        writeln!(writer, "{answer}")?;
    }
    Ok(())
}

/// An entry too: a connection lives longer than a version does, so each line asks for the newest.
#[hotswap::entry]
fn answer(store: &Store, line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let words = (words.next(), words.next(), words.next());
    let mut values = store.values.lock().unwrap_or_else(PoisonError::into_inner);
    match words {
        (Some("set"), Some(key), Some(value)) => {
            values.insert(key.to_owned(), value.to_owned());
            store.changed.notify_all();
            "ok".to_owned()
        }
        (Some("get"), Some(key), None) => match values.get(key) {
            Some(value) => value.clone(),
            None => "nothing".to_owned(),
        },
        (Some("wait"), Some(key), None) => {
            let values = store
                .changed
                .wait_while(values, |all| !all.contains_key(key));
            let values = values.unwrap_or_else(PoisonError::into_inner);
            format!("here it is: {}", values[key])
        }
        _ => "set KEY VALUE, get KEY or wait KEY".to_owned(),
    }
}
