//! A fixed number of threads that take work from one queue.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

type Work = Box<dyn FnOnce() + Send>;

/// The way into the queue.
pub struct ThreadPool {
    queue: mpsc::Sender<Work>,
}

impl ThreadPool {
    /// Starts so many threads.
    pub fn new(threads: usize) -> Self {
        let (queue, work) = mpsc::channel();
        let work = Arc::new(Mutex::new(work));
        for number in 1..=threads {
            let work = Arc::clone(&work);
            // Threads end with the program, so nobody waits for them.
            thread::Builder::new()
                .name(number.to_string())
                .spawn(move || run(&work))
                .expect("the system has threads left");
        }
        Self { queue }
    }

    /// Puts work at the end of the queue.
    pub fn execute(&self, work: impl FnOnce() + Send + 'static) {
        self.queue
            .send(Box::new(work))
            .expect("the threads live as long as the pool");
    }
}

/// One thread's loop. It never returns, so it stays as it is.
fn run(work: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        // The lock is held while this thread waits, and free while it works.
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(work) => work(),
            Err(mpsc::RecvError) => return,
        }
    }
}

/// The name of the thread that asks.
pub fn name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}
