//! The state: who is in which room, what was said there, and who waits for an answer.
//!
//! It stands in a cell of the runtime. Edit the types below while clients are connected: what is
//! there is carried over, as the attributes say. Add a field, and old values get its default; rename one
//! with `#[migrate(was = "…")]`; give one another type with `#[migrate(with = …)]`.

use std::collections::BTreeMap;

use hotswap::{Live, Migrate};
use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    oneshot,
};

/// All rooms. A guard is held for one line, never across an `await`.
static HALL: Live<Hall> = Live::new(Hall::default);

/// Where everybody starts.
const LOBBY: &str = "lobby";

/// A client, as long as it is connected.
pub type MemberId = u64;

#[derive(Default, Migrate)]
struct Hall {
    members: BTreeMap<MemberId, Member>,
    rooms: BTreeMap<String, Room>,
    questions: Vec<Question>,
    entered: u64,
}

#[derive(Migrate)]
struct Member {
    name: String,
    room: String,
    lines: UnboundedSender<String>,
}

#[derive(Default, Migrate)]
struct Room {
    history: Vec<Said>,
}

#[derive(Migrate)]
struct Said {
    who: String,
    text: String,
}

#[derive(Migrate)]
struct Question {
    from: MemberId,
    answer: oneshot::Sender<(String, String)>,
}

/// Lets a client in, and gives the lines that are meant for it.
pub fn enter(name: &str) -> (MemberId, UnboundedReceiver<String>) {
    let (lines, incoming) = mpsc::unbounded_channel();
    let mut hall = HALL.write();
    hall.entered += 1;
    let id = hall.entered;
    let member = Member {
        name: name.to_owned(),
        room: LOBBY.to_owned(),
        lines,
    };
    hall.members.insert(id, member);
    hall.hear(id, &format!("welcome, {name}"));
    (id, incoming)
}

/// Lets a client out.
pub fn leave(member: MemberId) {
    let mut hall = HALL.write();
    hall.members.remove(&member);
    hall.questions.retain(|question| question.from != member);
}

/// Moves a client to another room, which is there once somebody asks for it.
pub fn join(member: MemberId, room: &str) {
    let mut hall = HALL.write();
    if let Some(member) = hall.members.get_mut(&member) {
        room.clone_into(&mut member.room);
    }
    hall.hear(member, &format!("you are in {room}"));
}

/// Tells a client who is in its room.
pub fn who(member: MemberId) {
    let hall = HALL.read();
    let here = hall.in_room_of(member).map(|(_, other)| &*other.name);
    hall.hear(
        member,
        &format!("here: {}", here.collect::<Vec<_>>().join(", ")),
    );
}

/// Tells a client what was said in its room.
pub fn history(member: MemberId) {
    let hall = HALL.read();
    let room = hall.room_of(member).and_then(|room| hall.rooms.get(room));
    for said in room.iter().flat_map(|room| &room.history) {
        hall.hear(member, &format!("{} said {}", said.who, said.text));
    }
}

/// Says a line to all others in the room; it answers the oldest question that another has asked.
pub fn say(member: MemberId, line: &str) {
    let mut hall = HALL.write();
    let name = hall.name(member);
    hall.tell_others(member, &format!("{name}: {line}"));
    let room = hall.room_of(member).unwrap_or(LOBBY).to_owned();
    hall.rooms.entry(room).or_default().history.push(Said {
        who: name.clone(),
        text: line.to_owned(),
    });
    let mut questions = hall.questions.iter();
    if let Some(oldest) = questions.position(|question| question.from != member) {
        let question = hall.questions.remove(oldest);
        // Whoever asked may have left.
        let _ = question.answer.send((name, line.to_owned()));
    }
}

/// Asks all others in the room, and gives who answers and how.
pub async fn ask(member: MemberId, question: &str) -> (String, String) {
    let (answer, answered) = oneshot::channel();
    let from = member;
    {
        let mut hall = HALL.write();
        hall.questions.push(Question { from, answer });
        let name = hall.name(member);
        hall.tell_others(member, &format!("{name} asks: {question}"));
    }
    let nobody = || ("nobody".to_owned(), "-".to_owned());
    answered.await.unwrap_or_else(|_| nobody())
}

/// Tells one client something. It is an entry, since a question may be answered after a swap: what a
/// call does with the state after an `await` has to be left to the version that is current then.
#[hotswap::entry]
pub fn tell(member: MemberId, line: &str) {
    HALL.read().hear(member, line);
}

impl Hall {
    /// Sends a client a line; one that is gone hears nothing.
    fn hear(&self, member: MemberId, line: &str) {
        if let Some(member) = self.members.get(&member) {
            let _ = member.lines.send(line.to_owned());
        }
    }

    fn name(&self, member: MemberId) -> String {
        let member = self.members.get(&member);
        member.map_or_else(|| "somebody".to_owned(), |member| member.name.clone())
    }

    fn room_of(&self, member: MemberId) -> Option<&str> {
        self.members.get(&member).map(|member| &*member.room)
    }

    fn in_room_of(&self, member: MemberId) -> impl Iterator<Item = (MemberId, &Member)> {
        let room = self.room_of(member);
        let members = self.members.iter().map(|(id, member)| (*id, member));
        members.filter(move |(_, other)| Some(&*other.room) == room)
    }

    fn tell_others(&self, from: MemberId, line: &str) {
        for (other, _) in self.in_room_of(from).filter(|(id, _)| *id != from) {
            self.hear(other, line);
        }
    }
}
