%% The same as `program.rs` under OTP: gen_servers that are called all the time, each by a client of its own that notes
%% how long each call took. What it is told stands in lines of its input.
-module(otp).
-export([main/1]).

-define(LAST, (1 bsl 22)).

main([Servers, Gap, Idle]) ->
    {ok, counter, Old} = compile:file("counter", [binary]),
    {ok, counter, New} = compile:file("counter", [binary, {d, 'NEW'}]),
    {ok, counter, Other} = compile:file("counter", [binary, {d, 'OTHER'}]),
    load(Old),
    [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, Idle)],
    Times = counters:new(?LAST, [write_concurrency]),
    %% The number of windows opened and closed, and of clients that had a reply to a call begun after the last close.
    Window = atomics:new(2, []),
    Start = erlang:monotonic_time(millisecond),
    Pids = [
        start(Start + Gap * Number div Servers, Gap, Times, Window)
     || Number <- lists:seq(0, Servers - 1)
    ],
    io:format("ready~n"),
    talk({Pids, Times, Window, {Old, New, Other}}).

start(First, Gap, Times, Window) ->
    {ok, Pid} = gen_server:start(counter, [], []),
    spawn(fun() -> client(Pid, First, Gap, Times, Window, 1, 0) end),
    Pid.

%% Calls at its times, so that clients stay apart from one another however long their calls take; or again and again.
client(Pid, Next, Gap, Times, Window, Expected, Told) ->
    wait_until(Next, Gap),
    Opened = atomics:get(Window, 1),
    Begun = micros(),
    Expected = gen_server:call(Pid, add, infinity),
    Took = micros() - Begun,
    Now =
        if
            Opened rem 2 =:= 1 ->
                counters:add(Times, min(Took + 1, ?LAST), 1),
                Told;
            Told < Opened ->
                atomics:add(Window, 2, 1),
                Opened;
            true ->
                Told
        end,
    client(Pid, Next + Gap, Gap, Times, Window, Expected + 1, Now).

wait_until(_, 0) ->
    ok;
wait_until(Time, _) ->
    Timer = erlang:start_timer(Time, self(), go, [{abs, true}]),
    receive
        {timeout, Timer, go} -> ok
    end.

talk({Pids, Times, Window, {Old, New, Other}} = All) ->
    case io:get_line("") of
        "open\n" ->
            atomics:add(Window, 1, 1),
            io:format("ok~n");
        "close\n" ->
            close(Times, Window, length(Pids));
        "up\n" ->
            upgrade(Pids, New, 1);
        "down\n" ->
            upgrade(Pids, Old, {down, 1});
        "load\n" ->
            load(Other),
            io:format("ok~n");
        "load back\n" ->
            load(Old),
            io:format("ok~n");
        "purge\n" ->
            {Took, true} = timer:tc(fun() -> code:soft_purge(counter) end),
            io:format("~b~n", [Took]);
        eof ->
            halt(0)
    end,
    talk(All).

load(Binary) ->
    code:soft_purge(counter),
    {module, counter} = code:load_binary(counter, "counter.erl", Binary).

%% As a release handler does. Tells for how long a server was suspended, the longest of all.
upgrade(Pids, Binary, From) ->
    Suspended = [begin ok = sys:suspend(Pid, infinity), micros() end || Pid <- Pids],
    load(Binary),
    [ok = sys:change_code(Pid, counter, From, [], infinity) || Pid <- Pids],
    Resumed = [begin ok = sys:resume(Pid, infinity), micros() end || Pid <- Pids],
    io:format("~b~n", [lists:max(lists:zipwith(fun erlang:'-'/2, Resumed, Suspended))]).

micros() ->
    erlang:monotonic_time(microsecond).

close(Times, Window, Clients) ->
    atomics:put(Window, 2, 0),
    atomics:add(Window, 1, 1),
    wait(Window, Clients),
    Counts = [{At - 1, Calls} || At <- lists:seq(1, ?LAST), (Calls = counters:get(Times, At)) > 0],
    [counters:put(Times, At + 1, 0) || {At, _} <- Counts],
    Sum = lists:sum([Calls || {_, Calls} <- Counts]),
    {_, P99, Longest} = lists:foldl(
        fun({At, Calls}, {Seen, P99, _}) ->
            {Seen + Calls,
                if
                    Seen * 100 < Sum * 99 -> At;
                    true -> P99
                end,
                At}
        end,
        {0, 0, 0},
        Counts
    ),
    io:format("~b ~b ~b~n", [Sum, P99, Longest]).

wait(Window, Clients) ->
    case atomics:get(Window, 2) < Clients of
        true ->
            timer:sleep(1),
            wait(Window, Clients);
        false ->
            ok
    end.
