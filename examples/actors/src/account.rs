//! One account: its actor, what it does with each order, and its state.

use std::collections::HashMap;

use hotswap::{Live, Migrate};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

/// What an account knows. Fields may be added, taken away and renamed while it runs.
#[derive(Migrate, Default)]
struct Account {
    balance: u64,
}

/// The states of all accounts, by name. In the actors they would be of the version that made them for ever.
static ACCOUNTS: Live<HashMap<String, Account>> = Live::new(HashMap::new);

/// What an account is told.
pub struct Order {
    line: String,
    reply: RpcReplyPort<String>,
}

impl Order {
    /// An order whose answer goes there.
    pub fn new(line: String, reply: RpcReplyPort<String>) -> Self {
        Self { line, reply }
    }
}

/// The actor. Its loop is ractor's, and code of the first version for ever: it knows the name, and hands
/// on all else.
pub struct Teller;

impl Actor for Teller {
    type Msg = Order;
    type State = String;
    type Arguments = String;

    async fn pre_start(
        &self,
        _: ActorRef<Order>,
        name: String,
    ) -> Result<String, ActorProcessingErr> {
        open(&name);
        Ok(name)
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        name: &mut String,
    ) -> Result<(), ActorProcessingErr> {
        let answer = obey(name, &order.line)?;
        Ok(order.reply.send(answer)?)
    }
}

/// Begins an account, also after it has failed.
#[hotswap::entry]
fn open(name: &str) {
    let account = Account::default();
    ACCOUNTS.write().insert(name.to_owned(), account);
}

/// Does what an account is told. An error ends its actor, and the supervisor hears of it.
#[hotswap::entry]
fn obey(name: &str, line: &str) -> Result<String, String> {
    let mut accounts = ACCOUNTS.write();
    let Some(account) = accounts.get_mut(name) else {
        return Err("it was never opened".to_owned());
    };
    match line.split_once(' ').unwrap_or((line, "")) {
        ("add", more) => account.balance += more.parse().unwrap_or(0),
        ("fail", _) => return Err("it was told to fail".to_owned()),
        _ => {}
    }
    Ok(format!("{name} has {}", account.balance))
}
