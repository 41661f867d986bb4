-module(counter).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).

-ifdef(NEW).
init([]) -> {ok, {0, 3}}.
handle_call(add, _, {Count, More}) -> {reply, Count + 1, {Count + 1, More}}.
code_change(_, {Count, More}, _) -> {ok, {Count, More}};
code_change(_, Count, _) -> {ok, {Count, 3}}.
-else.
init([]) -> {ok, 0}.
handle_call(add, _, Count) -> {reply, Count + 1, Count + 1}.
code_change(_, {Count, _}, _) -> {ok, Count};
code_change(_, Count, _) -> {ok, Count}.
-endif.

-ifdef(OTHER).
handle_cast(other, State) -> {noreply, State}.
-else.
handle_cast(_, State) -> {noreply, State}.
-endif.
