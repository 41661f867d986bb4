//! The supervisor: opens accounts, and starts those again that fail.

use std::collections::HashMap;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

use crate::account::{Order, Teller};

/// Asks for the actor of an account, which is opened if need be; none if that fails.
pub struct Find {
    name: String,
    reply: RpcReplyPort<Option<ActorRef<Order>>>,
}

impl Find {
    /// A question whose answer goes there.
    pub fn new(name: String, reply: RpcReplyPort<Option<ActorRef<Order>>>) -> Self {
        Self { name, reply }
    }
}

/// The actor at the root.
pub struct Bank;

impl Actor for Bank {
    type Msg = Find;
    type State = HashMap<String, ActorRef<Order>>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<Find>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(HashMap::new())
    }

    async fn handle(
        &self,
        myself: ActorRef<Find>,
        Find { name, reply }: Find,
        accounts: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if !accounts.contains_key(&name) {
            start(&name, myself, accounts).await;
        }
        Ok(reply.send(accounts.get(&name).cloned())?)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Find>,
        event: SupervisionEvent,
        accounts: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let SupervisionEvent::ActorFailed(failed, why) = event else {
            return Ok(());
        };
        let same = |account: &ActorRef<Order>| account.get_id() == failed.get_id();
        let name = accounts.iter().find(|(_, account)| same(account));
        let Some(name) = name.map(|(name, _)| name.clone()) else {
            return Ok(());
        };
        accounts.remove(&name);
        if starts_again(&name, &why.to_string()) {
            start(&name, myself, accounts).await;
        }
        Ok(())
    }
}

async fn start(name: &str, bank: ActorRef<Find>, accounts: &mut HashMap<String, ActorRef<Order>>) {
    let started = Actor::spawn_linked(None, Teller, name.to_owned(), bank.get_cell()).await;
    if let Ok((account, _)) = started {
        accounts.insert(name.to_owned(), account);
    }
}

/// Whether an account that failed for this reason is opened anew.
#[hotswap::entry]
fn starts_again(name: &str, why: &str) -> bool {
    println!("{name} failed: {why}");
    true
}
