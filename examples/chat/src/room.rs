//! Who is there, and who waits for an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    oneshot,
};

/// All clients. It is made once and kept by every version: an edit of its fields is refused
/// while the program runs, an edit of its methods is not.
#[derive(Default)]
pub struct Room {
    members: Mutex<Vec<Arc<Member>>>,
    asked: Mutex<Vec<Question>>,
}

/// One client.
pub struct Member {
    name: String,
    lines: UnboundedSender<String>,
}

struct Question {
    from: String,
    answer: oneshot::Sender<(String, String)>,
}

impl Member {
    /// Sends the client a line; one that is gone hears nothing.
    pub fn hear(&self, line: &str) {
        let _ = self.lines.send(line.to_owned());
    }
}

impl Room {
    /// Lets a client in, and gives the lines that are meant for it.
    pub fn enter(&self, name: String) -> (Arc<Member>, UnboundedReceiver<String>) {
        let (lines, incoming) = mpsc::unbounded_channel();
        let member = Arc::new(Member { name, lines });
        lock(&self.members).push(Arc::clone(&member));
        member.hear(&format!("welcome, {}", member.name));
        (member, incoming)
    }

    /// Lets a client out.
    pub fn leave(&self, member: &Arc<Member>) {
        lock(&self.members).retain(|other| !Arc::ptr_eq(other, member));
    }

    /// The names of those who are there.
    pub fn names(&self) -> Vec<String> {
        let members = lock(&self.members);
        members.iter().map(|member| member.name.clone()).collect()
    }

    /// Says a line to all others; it answers the oldest question that another has asked.
    pub fn say(&self, from: &Member, line: &str) {
        self.tell_others(from, &format!("{}: {line}", from.name));
        let mut asked = lock(&self.asked);
        if let Some(oldest) = asked.iter().position(|question| question.from != from.name) {
            let question = asked.remove(oldest);
            // Whoever asked may have left.
            let _ = question.answer.send((from.name.clone(), line.to_owned()));
        }
    }

    /// Puts a question to all others, and waits for who answers and how.
    pub async fn ask(&self, from: &Member, question: &str) -> (String, String) {
        let (answer, answered) = oneshot::channel();
        lock(&self.asked).push(Question {
            from: from.name.clone(),
            answer,
        });
        self.tell_others(from, &format!("{} asks: {question}", from.name));
        answered
            .await
            .unwrap_or_else(|_| ("nobody".to_owned(), "-".to_owned()))
    }

    fn tell_others(&self, from: &Member, line: &str) {
        let others = lock(&self.members);
        others
            .iter()
            .filter(|member| member.name != from.name)
            .for_each(|other| other.hear(line));
    }
}

/// A panic in a handler leaves the lists whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
