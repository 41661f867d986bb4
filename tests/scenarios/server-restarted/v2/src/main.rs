//! Servers that panic, in code that came by an edit and in code that ran already.

use std::io;
use std::sync::mpsc::Receiver;

use hotswap::Migrate;
use hotswap::server::{Context, Down, Handle, Init, Intensity, Options, Restart, whereis};

#[derive(Migrate)]
pub struct Worker {
    #[migrate(was = "first")]
    name: String,
    #[migrate(was = "done: u32")]
    done: u64,
    #[migrate(default = 3)]
    tries: u8,
}

#[derive(Migrate)]
pub struct Watcher {
    seen: Vec<String>,
}

#[hotswap::server]
impl hotswap::Server for Worker {
    type Args = String;
    type Call = u32;
    type Reply = String;

    fn init(first: String, _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { name: format!("{first}, again"), done: 0, tries: 1 })
    }

    fn handle_call(&mut self, number: u32, _: &mut Context<'_, Self>) -> String {
        self.done += u64::from(200 / number);
        format!("{} {} {}", self.name, self.done, self.tries)
    }
}

#[hotswap::server]
impl hotswap::Server for Watcher {
    type Call = Option<Handle<Worker>>;
    type Reply = String;

    fn init((): (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { seen: Vec::new() })
    }

    fn handle_call(
        &mut self,
        worker: Option<Handle<Worker>>,
        context: &mut Context<'_, Self>,
    ) -> String {
        if let Some(worker) = worker {
            context.monitor(worker);
        }
        self.seen.join(", ")
    }

    fn handle_down(&mut self, down: Down, _: &mut Context<'_, Self>) {
        let reason = down.reason.to_string();
        let after = reason.split(':').next().unwrap_or_default();
        self.seen.push(format!("{after} ({})", down.restarts));
    }
}

fn main() {
    let intensity = Intensity { restarts: 2, ..Intensity::default() };
    let options = Options::new().name("worker").restart(Restart::OnFailure);
    let options = options.intensity(Intensity { within: std::time::Duration::MAX, ..intensity });
    let worker = options.spawn::<Worker>("begun with 2".to_owned()).expect("it starts");
    let watcher = Options::new().name("watcher").spawn::<Watcher>(()).expect("it starts");
    // It is told before the receiver is.
    watcher.call(Some(worker)).expect("a reply");
    let downs = worker.monitor();
    for line in io::stdin().lines() {
        println!("{}", ask(worker, &line.expect("a line"), &downs));
    }
}

#[hotswap::entry]
fn ask(worker: Handle<Worker>, line: &str, downs: &Receiver<Down>) -> String {
    let told = match worker.call(line.parse().expect("a number")) {
        Ok(reply) => reply,
        Err(error) => {
            let down = downs.recv().expect("it is told");
            format!("{error}; told: {}", down.restarts)
        }
    };
    let watcher = whereis::<Watcher>("watcher").expect("it runs");
    format!("{told}; seen [{}]", watcher.call(None).expect("a reply"))
}
