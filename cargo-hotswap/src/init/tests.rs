//! What is found in small programs, and what a user's words mean.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::find::find;
use super::functions::Code;
use super::sources::SourceFile;
use super::{choose, macros};

/// Files of a crate `app`, by module: `` is the root.
fn files(texts: &[(&str, &str)]) -> Vec<SourceFile> {
    let read = texts.iter().map(|(module, text)| {
        let mut syntax = syn::parse_file(text).unwrap();
        macros::open(&mut syntax);
        let name = if module.is_empty() { "main" } else { module };
        SourceFile {
            path: PathBuf::from(format!("src/{name}.rs")),
            text: (*text).to_owned(),
            skipped: 0,
            syntax,
            module: ["app", module]
                .iter()
                .filter(|part| !part.is_empty())
                .map(ToString::to_string)
                .collect(),
        }
    });
    read.collect()
}

/// What is found, as `path: reason`; what can't be an entry has a `!` before it.
fn found(dependencies: &str, texts: &[(&str, &str)]) -> Vec<String> {
    let files = files(texts);
    let code = Code::read(&files);
    let dependencies: BTreeSet<String> =
        dependencies.split_whitespace().map(str::to_owned).collect();
    let all = find(&code, &dependencies)
        .candidates
        .into_iter()
        .map(|one| {
            let function = &code.functions[one.function];
            let sign = if function.refusal.is_some() { "!" } else { "" };
            format!("{sign}{}: {}", function.path(), one.reason)
        });
    all.collect()
}

#[test]
fn handlers_are_found_by_what_they_are_given_to() {
    for (dependencies, text, expected) in [
        (
            "axum",
            "use axum::routing::{get, post}; mod users { pub async fn list() {} pub async fn add<T>(t: T) {} }
             fn app() -> Router { Router::new().route(\"/\", get(index).post(create)).route(\"/u\", get(users::list).post(users::add::<u8>))
                 .fallback(nothing).layer(axum::middleware::from_fn(log)) }
             async fn index() {} async fn create() {} async fn nothing() {} async fn log() {} async fn unused() {}",
            &[
                "users::list: an axum handler",
                "!users::add: an axum handler",
                "index: an axum handler",
                "create: an axum handler",
                "nothing: an axum handler",
                "log: an axum handler",
            ][..],
        ),
        // `get` is a word of many; without axum it says nothing.
        ("tokio", "fn main() { get(index); } fn index() {}", &[]),
        (
            "actix-web",
            "#[get(\"/\")] async fn index() {} #[actix_web::post(\"/\")] async fn add() {} async fn by_hand() {}
             fn config(c: &mut ServiceConfig) { c.route(\"/x\", web::get().to(by_hand)); }",
            &["index: an actix handler", "add: an actix handler", "by_hand: an actix handler"],
        ),
        (
            "rocket",
            "#[get(\"/<x>\")] fn index(x: u8) {} #[catch(404)] fn lost() {} #[launch] fn rocket() -> _ {}",
            &["index: a Rocket handler", "lost: a Rocket handler"],
        ),
        (
            "warp",
            "async fn main() { warp::path(\"x\").and_then(answer).recover(sorry); } async fn answer() {} async fn sorry() {}",
            &["answer: a warp filter", "sorry: a warp filter"],
        ),
        (
            "tonic",
            "#[tonic::async_trait] impl Greeter for My { async fn say_hello(&self, r: Request<X>) -> Response<Y> { todo(r) } }",
            &["My::say_hello: a gRPC method"],
        ),
        (
            "tower",
            "impl<S> Service<R> for Log<S> { fn poll_ready(&mut self) {} fn call(&mut self, r: R) {} }
             impl tower::Service<R> for Echo { fn call(&mut self, r: R) {} }
             fn make() { service_fn(answer); service_fn(|r| async { second(r) }); } async fn answer(r: R) {} fn second(r: R) {}",
            &["!Log::call: a service", "Echo::call: a service", "answer: a service", "second: a service"],
        ),
        (
            "bevy",
            "fn main() { App::new().add_systems(Startup, setup).add_systems(Update, (walk, (turn, jump).chain(), run.after(walk)))
                 .add_systems(OnEnter(State::Menu), menu); }
             fn setup(c: Commands) {} fn walk(q: Query<A>) {} fn turn() {} fn jump() {} fn run() {} fn menu() {}",
            &["walk: a bevy system", "turn: a bevy system", "jump: a bevy system", "run: a bevy system", "menu: a bevy system"],
        ),
        (
            "eframe",
            "impl eframe::App for My { fn update(&mut self, c: &Context, f: &mut Frame) {} fn save(&mut self) {} }",
            &["My::update: called once a frame by egui"],
        ),
        (
            "ratatui crossterm",
            "fn main() { loop { terminal.draw(|f| ui(f, &app))?; if on_key(read()?) { break } } }
             fn ui(f: &mut Frame, a: &A) {} fn on_key(e: Event) -> bool { x() } fn tick(a: &mut A) {}
             impl Widget for &A { fn render(self, a: Rect, b: &mut Buffer) { all(a, b) } }",
            &[
                "ui: called once a frame by ratatui",
                "A::render: called once a frame by ratatui",
                "on_key: called in the loop of `main`",
                "tick: named `tick`, as what is called once a frame or step",
            ],
        ),
        (
            "cursive",
            "impl View for Board { fn draw(&self, p: &Printer) { all(p) } fn on_event(&mut self, e: Event) -> R { x(e) }
               fn required_size(&mut self, s: Vec2) -> Vec2 { s } }",
            &[
                "Board::draw: called once a frame or key by cursive",
                "Board::on_event: called once a frame or key by cursive",
            ],
        ),
        ("clap", "fn main() {} fn update(x: u8) {}", &[]),
    ] {
        assert_eq!(found(dependencies, &[("", text)]), expected, "{dependencies}");
    }
}

#[test]
fn loops_are_followed_from_main_to_what_they_call() {
    for (what, text, expected) in [
        (
            "the simplest",
            "fn main() { loop { println!(\"{}\", greet(1)); sleep(S); } } fn greet(n: u8) -> String { format!(\"\") }",
            &["greet: called in the loop of `main`"][..],
        ),
        (
            "over two functions and a type",
            "struct Server { db: Db } struct Db; impl Db { fn get(&self, k: u8) -> u8 { find(k) } }
             impl Server { fn new() -> Self { Server { db: Db } } fn run(&self) { for c in self.l.incoming() { self.one(c); self.db.get(1); } }
                 fn one(&self, c: C) { c.x() } }
             fn start() -> Result<()> { let server = Server::new(); server.run() }
             fn main() { start().unwrap(); }",
            &["Db::get: called in the loop of `Server::run`", "Server::one: called in the loop of `Server::run`"],
        ),
        (
            "tasks and threads",
            "async fn main() { tokio::spawn(background()); std::thread::spawn(worker);
                 loop { let (s, _) = l.accept().await?; tokio::spawn(async move { serve(s).await; }); tokio::spawn(async { long().await }); } }
             async fn serve(s: S) { answer(s) } async fn long() { while let Some(m) = rx.recv().await { handle(m) } }
             fn handle(m: M) { x(m) } fn worker() { loop { work(1); } } fn work(n: u8) { x(n) }
             async fn background() { x() } fn answer(s: S) {}",
            &[
                "serve: run in a task or thread for each round of `main`",
                "handle: called in the loop of `long`",
                "work: called in the loop of `worker`",
            ],
        ),
        (
            "a closure that is a thread",
            "fn main() { thread::spawn(move || loop { tick(1) }); } fn tick(n: u8) { x(n) }",
            &["tick: called in the loop of a task or thread of `main`"],
        ),
        (
            "an object that tasks share, of two types with a method of that name",
            "fn main() { Server::new().listen(); Client::new().go(); }
             impl Server { fn new() -> Self { Self(1) }
                 async fn listen(self) { let this = Arc::new(self); loop { let (s, _) = l.accept().await?; let this = Arc::clone(&this);
                     tokio::spawn(async move { this.handle(s).await; }.instrument(span)); } }
                 async fn handle(&self, s: S) { x(s) } }
             impl Client { fn new() -> Self { Self(1) } fn go(&self) {} fn handle(&self, s: S) { x(s) } }",
            &["Server::handle: run in a task or thread for each round of `Server::listen`"],
        ),
        (
            "a loop that only an error ends",
            "fn main() { let r = Router::new(); thread::Builder::new().spawn(move || r.run(0)); }
             impl Router { fn run(&mut self, n: u8) -> Result<()> { match n { 0 => loop { self.round()?; }, _ => self.round() } }
                 fn round(&mut self) -> Result<()> { self.one(1)?; self.one(2)?; self.one(3) } }",
            &["Router::round: called in the loop of `Router::run`"],
        ),
        (
            "select",
            "async fn main() { loop { tokio::select! { m = rx.recv() => handle(m).await, _ = stop() => break, else => {} } } }
             async fn handle(m: M) { x(m) } async fn stop() { x(1) }",
            &["handle: called in the loop of `main`", "stop: called in the loop of `main`"],
        ),
        (
            "loops that end are none",
            "fn main() { loop { if parse(x) { break; } } while n < 10 { parse(n); } for x in list { parse(x); } while let Some(x) = it.next() { parse(x); } }
             fn parse(x: u8) -> bool { y(x) }",
            &[],
        ),
        (
            "what is not called from main",
            "fn main() {} fn other() { loop { work(1) } } fn work(n: u8) { x(n) }",
            &[],
        ),
        (
            "constructors, questions and parts",
            "fn main() { loop { let t = Thing::new(1); t.is_on(); t.part(); wait(t); sleep(1); } }
             impl Thing { fn new(n: u8) -> Self { make(n) } fn is_on(&self) -> bool { all(1, 2, 3) } fn part(&self) -> u8 { self.0 } }
             fn wait(t: Thing) { x(t) }",
            &[],
        ),
    ] {
        assert_eq!(found("tokio", &[("", text)]), expected, "{what}");
    }
}

#[test]
fn long_loops_are_told_by_place() {
    let lines = "x();\n".repeat(30);
    let long = format!(
        "fn main() {{ run(); short() }}\nfn run() {{\nlet n = 1;\nwhile on() {{ wait();\n{lines}loop {{\n{lines}}}\n}}\n}}
         fn short() {{ loop {{ x() }} }}\nfn other() {{ loop {{\n{lines}}} }}"
    );
    let files = files(&[("", &long)]);
    let code = Code::read(&files);
    let loops = find(&code, &BTreeSet::new()).loops;
    let told: Vec<(String, usize, usize)> = loops
        .iter()
        .map(|one| (code.functions[one.function].path(), one.line, one.lines))
        .collect();
    assert_eq!(told, [("run".to_owned(), 4, 64)]);
}

#[test]
fn names_lead_over_modules_and_uses() {
    let main = "mod server; mod cmd; pub use cmd::Command; use server::{self, Peer as Other};
        fn main() { server::run(); Other::go(); }";
    let server = "use crate::Command; pub fn run() { loop { let c = Command::decode(1)?; c.apply(2).await?; super::outer(); self::inner(); } }
        pub struct Peer; impl Peer { pub fn go() { Self::rounds() } fn rounds() { loop { Self::round(1) } } fn round(n: u8) { x(n) } }
        fn inner() { x(1) }";
    let cmd = "pub enum Command {} impl Command { pub fn decode(n: u8) -> crate::Result<Command> { x(n) } pub async fn apply(self, n: u8) { x(n) } }
        pub struct Twin; impl Twin { pub async fn apply(self, n: u8) { x(n) } } pub fn inner() {}";
    let main = main.to_owned() + " fn outer() { x(1) }";
    let of = "`server::run`";
    assert_eq!(
        found("", &[("", &main), ("server", server), ("cmd", cmd)]),
        [
            format!("outer: called in the loop of {of}"),
            "server::Peer::round: called in the loop of `server::Peer::rounds`".to_owned(),
            format!("server::inner: called in the loop of {of}"),
            format!("cmd::Command::decode: called in the loop of {of}"),
            format!("cmd::Command::apply: called in the loop of {of}"),
        ]
    );
}

#[test]
fn words_mean_one_function_or_none() {
    let files = files(&[
        (
            "",
            "mod a; mod b;\nfn start() {}\nstruct S; impl S { fn run(&self) {} }",
        ),
        ("a", "pub fn run() {}"),
        ("b", "pub fn run() {}\n\npub fn other() {}"),
    ]);
    let code = Code::read(&files);
    let named = |word: &str| {
        let numbers = choose::named(&code, &files, &[word.to_owned()]);
        match numbers {
            Ok(numbers) => code.functions[numbers[0]].full_path(),
            Err(error) => error.to_string(),
        }
    };
    for (word, expected) in [
        ("start", "app::start"),
        ("S::run", "app::S::run"),
        ("a::run", "app::a::run"),
        ("app::b::run", "app::b::run"),
        ("src/b.rs:3", "app::b::other"),
        ("b.rs:3", "app::b::other"),
        (
            "src/b.rs:2",
            "no function at line 2 of a file `src/b.rs` in this package",
        ),
        (
            "::run",
            "no function `::run` in this package; did you mean `S::run`?",
        ),
        (
            "strat",
            "no function `strat` in this package; did you mean `start`?",
        ),
        ("stop", "no function `stop` in this package"),
        (
            "run",
            "`run` means several functions, name one by file and line:\n  src/main.rs:3 S::run\n  \
             src/a.rs:1 a::run\n  src/b.rs:1 b::run",
        ),
    ] {
        assert_eq!(named(word), expected);
    }
}

#[test]
fn every_line_of_a_function_means_it() {
    let text = "struct S;
/// Says what it does.
#[inline]
pub fn outer(
    number: u32,
) -> u32 {
    fn inner() {
        let _ = 1;
    }
    number
}
fn one() {} fn other() {}
";
    let files = files(&[("", text)]);
    let code = Code::read(&files);
    for line in 1..=13 {
        let word = format!("main.rs:{line}");
        let found = choose::named(&code, &files, &[word]);
        let found = found.map(|numbers| code.functions[numbers[0]].name());
        let found = found.unwrap_or_else(|error| error.to_string());
        let expected = match line {
            2..=6 | 10..=11 => "outer",
            7..=9 => "inner",
            12 => "`main.rs:12` means several functions",
            _ => "no function at line",
        };
        assert!(found.starts_with(expected), "{line}: {found}");
    }
}
