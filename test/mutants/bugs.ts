/**
 * Bugs of what stands around the engine: the server, the client, the pool, the protocol and the processes. Each is a
 * change of one place of a source, of the dangerous sort: a condition negated, a registration kept, a timer not set
 * again, a limit missed by one. `npm run mutants` makes one after the other in a copy of the repository, where one of its
 * tests must fail. Those of the engine are in `test/simulation/mutants.ts`, except for its search for deadlocks.
 */

/** A bug. */
export interface Bug {
  readonly name: string
  /** Under `packages`. */
  readonly file: string
  /** Text that stands there once. */
  readonly from: string
  readonly to: string
  /** The tests of which one must fail: files under `test`, without their extensions. */
  readonly tests: ReadonlyArray<string>
}

const inFile = (file: string, bugs: Readonly<Record<string, Omit<Bug, "name" | "file">>>): ReadonlyArray<Bug> =>
  Object.entries(bugs).map(([name, bug]) => ({ name, file, ...bug }))

/** Every bug. */
export const bugs: ReadonlyArray<Bug> = [
  ...inFile("core/src/client/Guard.ts", {
    "a fiber that was forked in a body holds up the body's end": {
      from: "if (hold.body !== waiting) break",
      to: "if (hold.body === undefined) break",
      tests: ["unit/client/cycles", "simulation/deadlocks"]
    },
    "a call holds up the innermost hold alone": {
      from: "waiting = hold.holder",
      to: "waiting = undefined",
      tests: ["simulation/deadlocks"]
    }
  }),
  ...inFile("core/src/proxy/TransactionLog.ts", {
    "a read of a transaction checks nothing that was read before": {
      from: "const checks = this.#checks()",
      to: "const checks: ReadonlyArray<PreparedCall> = []",
      tests: ["unit/transaction/badInput", "conformance/memory"]
    },
    "a commit checks nothing that was read": {
      from: "const calls = [...this.#checks(), pass, ...writes]",
      to: "const calls = [pass, ...writes]",
      tests: ["unit/transaction/transaction"]
    },
    "the reads of a fiber that meets a refusal are not made again": {
      from: "this.#readings.unshift(...readings.toSpliced(of, 1))",
      to: "",
      tests: ["unit/transaction/requests"]
    }
  }),
  ...inFile("core/src/proxy/recordTransaction.ts", {
    "an entry that a transaction removes and sets again keeps its place": {
      from: "if (isMoved) parts.push(word, null)",
      to: "",
      tests: ["unit/transaction/transaction"]
    }
  }),
  ...inFile("core/src/Transaction.ts", {
    "a reservation stays after a run that has not committed": {
      from: "if (reservation !== 0 && !isCommitted)",
      to: "if (reservation !== 0 && isCommitted)",
      tests: ["unit/transaction/badInput"]
    }
  }),
  ...inFile("core/src/actor/host.ts", {
    "a call whose handler has ended its fiber waits for ever": {
      from: "if (!this.#isAnswered && Exit.hasDies(exit))",
      to: "if (this.#isAnswered && Exit.hasDies(exit))",
      tests: ["unit/proxy/nonsense"]
    },
    "a refusal that does not fit into a frame is told to nobody": {
      from: ", () => remote.tell(\"answer\", [this.#id, \"refused\", kept(issue)])",
      to: ", () => void kept(issue)",
      tests: ["unit/pool/lost-error"]
    },
    "a host whose answer was refused receives no other call in its place": {
      from: "      answer()\n      this.#receive()\n",
      to: "      answer()\n",
      tests: ["unit/actor/actor"]
    }
  }),
  ...inFile("core/src/engine/Deadlock.ts", {
    "a hold that ends by itself is held up": {
      from: "grants.has(id) && grants.get(id)!.deadline === undefined",
      to: "grants.has(id)",
      tests: ["unit/engine/cycles", "simulation/deadlocks"]
    },
    "a hold is held up when its request is over": {
      from: "for (const id of stalledBy(parked)) stalled.delete(id)",
      to: "",
      tests: ["simulation/deadlocks"]
    },
    "a request that may go on holds up others": {
      from: "this.#free.has(by) || ",
      to: "",
      tests: ["unit/engine/cycles", "simulation/deadlocks"]
    },
    "what depends on a request that may go on is not tried again": {
      from: "if (!this.#free.has(dependent)) open.push(dependent)",
      to: ";",
      tests: ["unit/engine/cycles"]
    }
  }),
  ...inFile("core/src/engine/References.ts", {
    "a search for cycles misses the arguments of calls that wait": {
      from: "if (isCell(argument)) argument.handles.forEach(reach)",
      to: "if (isCell(argument)) void reach",
      tests: ["unit/engine/references"]
    }
  }),
  ...inFile("core/src/engine/kinds/semaphore.ts", {
    "permits that may be released do not count": {
      from: "if (!isStuck(id)) most += held",
      to: "isStuck(id)",
      tests: ["unit/engine/cycles", "simulation/deadlocks"]
    }
  }),
  ...inFile("core/src/kind/EngineKind.ts", {
    "a hold that waits for others to arrive is blocked": {
      from: " && !waits(() => true)",
      to: "",
      tests: ["unit/client/cycles"]
    }
  }),
  ...inFile("core/src/server/Accept.ts", {
    "who knows the secret of a session resumes it with any key": {
      from: "Permission.areSame(session.rights, rights)",
      to: "true",
      tests: ["unit/client/resume"]
    },
    "a session has the rights of an owner, whatever its key is": {
      from: "label, grace, rights }",
      to: "label, grace }",
      tests: ["unit/server/roles"]
    },
    "a certificate takes no rights away": {
      from: "atMost(credential.rights, roleMax)",
      to: "credential.rights",
      tests: ["process/network"]
    },
    "requests that wait for the pace of a session wait for ever": {
      from: "...shell.isPaced ? [pacing] : [],",
      to: "",
      tests: ["unit/server/pace"]
    },
    "a session that has ended counts for ever": {
      from: "Effect.addFinalizer(() => Effect.sync(() => open--))",
      to: "Effect.void",
      tests: ["unit/server/lastBytes"]
    },
    "any secret resumes a session": {
      from: "if (!isOwn) return \"WrongSecret\"\n",
      to: "",
      tests: ["unit/client/resume"]
    },
    "a session of another manager is resumed": {
      from: " || asked.instance !== instance",
      to: "",
      tests: ["unit/client/resume"]
    },
    "a manager that has lost changes goes on with a session": {
      from: "if (asked.index <= state.index) return session",
      to: "return session",
      tests: ["unit/client/resume"]
    },
    "a session ends with an older link": {
      from: "        if (host.shells.get(id) !== shell) return\n",
      to: "",
      tests: ["unit/client/resume"]
    },
    "an older link is not told that there is another one": {
      from: "      host.shells.get(id)?.expel(\"its client has resumed it over another connection\")\n",
      to: "",
      tests: ["unit/client/resume"]
    },
    "a client that breaks the protocol keeps its grace": {
      from: "reason.error.isBreach !== true",
      to: "true",
      tests: ["unit/client/resume"]
    },
    "a client that says nothing is not noticed": {
      from: "...graceMs > 0 ? [listening] : [],",
      to: "",
      tests: ["unit/client/resume"]
    },
    "a client may be silent for as long as the manager allows, whatever it asks for": {
      from: "Math.min(response.silenceMs ?? Infinity, limits.silenceMs)",
      to: "limits.silenceMs",
      tests: ["unit/client/resume"]
    },
    "a session that is resumed may send a second's worth at once": {
      from: "paces.get(session) ?? ",
      to: "",
      tests: ["unit/server/pace"]
    },
    "the spans of a lost link never end": {
      from: "        shell.endSpans()\n",
      to: "",
      tests: ["unit/metrics/spans"]
    },
    "a grace may be of any length": {
      from: "Math.min(asked.milliseconds, limits.sessionGraceMs)",
      to: "asked.milliseconds",
      tests: ["unit/client/resume"]
    },
    "one session more than sessionsMax": {
      from: "if (open + unlinked > limits.sessionsMax)",
      to: "if (open + unlinked > limits.sessionsMax + 1)",
      tests: ["unit/server/lastBytes"]
    },
    "one handshake more than unauthenticatedMax": {
      from: "if (unauthenticated >= limits.unauthenticatedMax)",
      to: "if (unauthenticated > limits.unauthenticatedMax)",
      tests: ["unit/protocol/handshake"]
    },
    "a handshake that has ended counts for ever": {
      from: "Effect.ensuring(Effect.sync(() => unauthenticated--))",
      to: "Effect.asVoid as never",
      tests: ["unit/protocol/handshake"]
    },
    "a handshake takes any time": {
      from: "Effect.timeout(limits.handshakeMs),",
      to: "",
      tests: ["unit/protocol/handshake"]
    },
    "a link that has drained runs no deferred request": {
      from: "onDrain: () => {\n          host.turn(drained)\n",
      to: "onDrain: () => {\n",
      tests: ["process/link"]
    },
    "a link is closed before the last bytes are read": {
      from: "Effect.andThen(restore(lastBytes))\n",
      to: "Effect.asVoid\n",
      tests: ["unit/server/lastBytes"]
    },
    "a client that was told the end is not waited for": {
      from: "shell.saidGoodbye && guarded",
      to: "guarded",
      tests: ["unit/server/lastBytes"]
    },
    "the last bytes may take any time": {
      from: ", Effect.timeoutOption(lastBytesMs))",
      to: ")",
      tests: ["unit/server/lastBytes"]
    },
    "a defect of the manager is not told to its clients": {
      from: "link.send(farewell(reason))",
      to: "farewell(reason)",
      tests: ["unit/defect"]
    },
    "a defect of the manager is logged for each session": {
      from: "() => !Deferred.isDoneUnsafe(host.defect)",
      to: "() => true",
      tests: ["unit/defect"]
    }
  }),
  ...inFile("core/src/server/EngineHost.ts", {
    "a defect of the log is told to nobody": {
      from: "        Effect.catchDefect((defect) => Effect.sync(() => stop(Exit.die(defect))))\n",
      to: "",
      tests: ["unit/server/durable"]
    },
    "a timer that fired early is not set again": {
      from: "      deadline = undefined\n",
      to: "",
      tests: ["unit/server/timers"]
    },
    "the clock goes back with the system's": {
      from: "now += Math.max(0, read - before)",
      to: "now += read - before",
      tests: ["unit/server/timers"]
    },
    "turns that wait run in reverse": {
      from: "for (let next = asked.shift(); next !== undefined; next = asked.shift())",
      to: "for (let next = asked.pop(); next !== undefined; next = asked.pop())",
      tests: ["unit/server/turns"]
    },
    "a step that throws is blamed on a session": {
      from: "if (isStepping || served === undefined) return false",
      to: "if (served === undefined) return false",
      tests: ["unit/defect"]
    },
    "what a turn adds while it tells is told in the next one": {
      from: "while (toldCount < outputs.length || engine.state.outputs.length > 0)",
      to: "while (toldCount < outputs.length || outputs === none && engine.state.outputs.length > 0)",
      tests: ["unit/protocol/session"]
    }
  }),
  ...inFile("core/src/Log.ts", {
    "an append that is repeated though it was made fails": {
      from: "end.position === after + 1 && end.written === epoch",
      to: "end.position < 0",
      tests: ["unit/log/memory"]
    },
    "an entry that is missing is passed over": {
      from: "entry.position !== after + i + 1",
      to: "entry.position <= after + i",
      tests: ["unit/log/sqlite"]
    }
  }),
  ...inFile("node/src/compaction.ts", {
    "what was appended before a start is not counted": {
      from: "add(position - Option.match(snapshot, { onNone: () => 0, onSome: ({ position }) => position }), 0)",
      to: "add(0, 0)",
      tests: ["process/compaction"]
    }
  }),
  ...inFile("node/src/sqliteLog.ts", {
    "an append is not conditional on the epoch": {
      from: "name = ?1 and epoch = ?2 and position = ?3",
      to: "name = ?1 and ?2 > 0 and position = ?3",
      tests: ["unit/log/sqlite"]
    }
  }),
  ...inFile("postgres/src/database.ts", {
    "a connection that does not answer is used again": {
      from: "Effect.onError(() => pool.invalidate(connection)),",
      to: "",
      tests: ["postgres/log"]
    },
    "a standby is read, which may show an older state": {
      from: "const startupParameters = { transaction_read_only: \"off\" }",
      to: "const startupParameters = {}",
      tests: ["postgres/servers"]
    }
  }),
  ...inFile("postgres/src/sqlLog.ts", {
    "PostgreSQL appends in any epoch": {
      from: "where name = $1 and epoch = $2 and position = $3",
      to: "where name = $1 and $2 > 0 and position = $3",
      tests: ["postgres/log"]
    }
  }),
  ...inFile("core/src/server/InputLog.ts", {
    "frames leave before the log has what led to them": {
      from: "    this.#releases.push(release)\n",
      to: "    release()\n",
      tests: ["unit/server/durable"]
    },
    "reads are not confirmed": {
      from: "patiently(this.#leadership.confirm)",
      to: "Effect.void",
      tests: ["unit/server/durable"]
    },
    "an input whose step has thrown is in the log": {
      from: "    this.#isStopped = true\n",
      to: "",
      tests: ["unit/server/durable"]
    }
  }),
  ...inFile("core/src/engine/Requests.ts", {
    "a call that is sent again is carried out again": {
      from: "return !this.#repeat(session, sequence) && overtakes",
      to: "return true",
      tests: ["simulation/log"]
    }
  }),
  ...inFile("core/src/testing/MemoryLog.ts", {
    "an append is conditional on its position alone": {
      from: "if (realm.epoch !== epoch || position !== after)",
      to: "if (position !== after)",
      tests: ["simulation/log"]
    }
  }),
  ...inFile("core/src/server/Candidate.ts", {
    "an end of the log that was seen late is a loss of entries": {
      from: "          position = Option.getOrElse(yield* log.head(realm), () => noHead).position\n",
      to: "",
      tests: ["unit/server/candidate"]
    },
    "a host takes the place of a leader that it outranks at once": {
      from: "now - seen.since >= outrankedLeases * leaseMs && outranks",
      to: "outranks",
      tests: ["unit/server/outranked"]
    },
    "a host leaves a leader in its place that it outranks": {
      from: "&& outranks(leader.value)) return true",
      to: "&& outranks(leader.value)) return false",
      tests: ["unit/server/outranked"]
    }
  }),
  ...inFile("core/src/proxy/unsent.ts", {
    "a handle of another manager is found at the top of a value only": {
      from: "\"issue\" in issue && has(issue.issue, leaf)",
      to: "false",
      tests: ["unit/crossSpace"]
    }
  }),
  ...inFile("node/src/placement.ts", {
    "close names of hosts have close places in the ring": {
      from: "createHash(\"sha256\").update(name).digest(\"hex\")",
      to: "name",
      tests: ["unit/node/placement"]
    }
  }),
  ...inFile("core/src/server/Replay.ts", {
    "a log that leads to another state is led on": {
      from: "entry.index !== state.index",
      to: "entry.index < 0",
      tests: ["unit/server/durable"]
    },
    "a manager has another instance after each start": {
      from: "      this.instance = entry.instance\n",
      to: "",
      tests: ["unit/server/durable"]
    }
  }),
  ...inFile("core/src/server/Gate.ts", {
    "a link drains though frames are held": {
      from: "() => held === 0 && onDrain()",
      to: "onDrain",
      tests: ["unit/server/gate"]
    },
    "the release of the last frame drains nothing": {
      from: "          if (held === 0 && link.pendingBytes() === 0) drained()\n",
      to: "",
      tests: ["unit/server/gate"]
    },
    "held bytes are not pending": {
      from: "pendingBytes: () => held + link.pendingBytes()",
      to: "pendingBytes: () => link.pendingBytes()",
      tests: ["unit/server/gate"]
    }
  }),
  ...inFile("core/src/server/SessionShell.ts", {
    "one call fewer than inFlightMax": {
      from: "if (this.#requests > inFlightMax)",
      to: "if (this.#requests >= inFlightMax)",
      tests: ["unit/server/sessionShell"]
    },
    "a deferred request counts after it ran": {
      from: "      this.#requests--\n",
      to: "",
      tests: ["unit/server/sessionShell"]
    },
    "parked calls never make room in the window": {
      from: "if (this.#isAwaited || this.#parked * 2 >= this.#limits.inFlightMax) this.flush()",
      to: "if (this.#isAwaited) this.flush()",
      tests: ["unit/client/window"]
    },
    "a client that has caught up stays congested": {
      from: "    this.#congestion(false)\n",
      to: "",
      tests: ["unit/server/sessionShell"]
    },
    "a client that is behind is not congested": {
      from: "    if (this.#outbox.length === 1) this.#congestion(true)\n",
      to: "",
      tests: ["unit/server/sessionShell"]
    },
    "outcomes of cancels count after they were read": {
      from: "    this.#cancels = 0\n",
      to: "",
      tests: ["unit/server/sessionShell"]
    },
    "a grant that does not fit into a frame stays": {
      from: "this.#engine.step({ _tag: \"Cancel\", session: this.#session, sequence: output.sequence })",
      to: "void 0",
      tests: ["unit/server/sessionShell"]
    },
    "a sequence may be used twice in a row": {
      from: "if (input.sequence <= this.#lastSequence)",
      to: "if (input.sequence < this.#lastSequence)",
      tests: ["unit/server/misbehaving"]
    },
    "a request that is sent again is deferred": {
      from: "if (this.#isResumed && this.#engine.isKnown(input.sequence))",
      to: "if (false)",
      tests: ["unit/server/sessionShell"]
    },
    "something is sent before the session begins": {
      from: "if (!this.#isOpen) return\n",
      to: "\n",
      tests: ["unit/server/sessionShell"]
    },
    "outboundBytesMax is missed by a frame": {
      from: "this.#link.pendingBytes() < this.#limits.outboundBytesMax",
      to: "this.#link.pendingBytes() <= this.#limits.outboundBytesMax",
      tests: ["unit/server/sessionShell"]
    },
    "a large reply overtakes the frame of its turn": {
      from: "    this.flush()\n    this.#link.send(before)",
      to: "    this.#link.send(before)",
      tests: ["unit/server/sessionShell"]
    },
    "a deferred request that is cancelled runs": {
      from: "    this.#forget(position)\n    this.#spans",
      to: "    this.#spans",
      tests: ["unit/server/sessionShell"]
    }
  }),
  ...inFile("core/src/client/Connection.ts", {
    "a call that waits in the manager stays in the window": {
      from: "        this.#window.leave(call)\n        call.park()",
      to: "        call.park()",
      tests: ["unit/client/window"]
    },
    "what gives back waits for the window": {
      from: "if (isFull && call.role !== \"settling\")",
      to: "if (isFull)",
      tests: ["unit/client/owed"]
    },
    "the handles of a reply that came too late are kept": {
      from: "    if (call.late?._tag === \"Success\") this.received.giveBack(call.late.reply)\n",
      to: "",
      tests: ["unit/client/owed"]
    },
    "a call that was made without a link may have taken effect": {
      from: "wasSent ? OutcomeUnknown : NotExecuted",
      to: "OutcomeUnknown",
      tests: ["unit/client/resume"]
    },
    "a call that was interrupted without having been sent is sent": {
      from: "if (!wasSent || isRead && !this.#isResumable)",
      to: "if (isRead && !this.#isResumable)",
      tests: ["unit/client/resume"]
    },
    "an interrupted fiber waits for a link": {
      from: "return isRead || !this.outbox.isLinked ?",
      to: "return isRead ?",
      tests: ["unit/client/resume"]
    },
    "subscriptions end with their link": {
      from: "    this.#watches.again()\n",
      to: "",
      tests: ["unit/client/resume"]
    },
    "a call that was not sent may have taken effect": {
      from: "call.operation.name, NotExecuted, why))\n    this.#watches",
      to: "call.operation.name, OutcomeUnknown, why))\n    this.#watches",
      tests: ["unit/client/owed"]
    },
    "holds are not lost with their connection": {
      from: "    this.holds.tripAll(why)\n",
      to: "",
      tests: ["unit/client/owed"]
    },
    "long waits are watched after the end": {
      from: "    this.longWaits.stop()\n",
      to: "",
      tests: ["unit/client/owed"]
    },
    "a hold that is registered after the end is not lost": {
      from: "    if (this.ended !== undefined) lost(this.ended)\n",
      to: "",
      tests: ["unit/client/owed"]
    },
    "a read that was interrupted runs on in the manager": {
      from: "      this.#writer.cancel(call.sequence)\n",
      to: "      if (!isRead) this.#writer.cancel(call.sequence)\n",
      tests: ["unit/client/owed"]
    },
    "a call that was interrupted before it was sent is sent": {
      from: "const isWaiting = this.#waiting.delete(call)",
      to: "const isWaiting = call.state === \"Waiting\"",
      tests: ["unit/client/window"]
    },
    "the span of an interrupted call does not end": {
      from: "if (call.state !== \"Answered\") call.ended(\"cancelled\")",
      to: "",
      tests: ["unit/metrics/spans", "unit/metrics/metrics"]
    },
    "a grant is acknowledged before its fiber has it": {
      from: "if (call.role === \"owned\" && outcome._tag === \"Success\") {",
      to: "if (call.role === \"owned\" && outcome._tag === \"Failure\") {",
      tests: ["unit/client/settle", "unit/interruption/interruption"]
    }
  }),
  ...inFile("core/src/client/Receipts.ts", {
    "a range acknowledges replies that were not received": {
      from: "if (sequence !== this.#to + 1)",
      to: "if (sequence <= this.#to)",
      tests: ["unit/client/receipts"]
    }
  }),
  ...inFile("core/src/client/Relink.ts", {
    "holds are not given up before the grace is over": {
      from: "          Effect.andThen(trip),\n",
      to: "",
      tests: ["unit/client/resume"]
    },
    "a lost link is not waited for longer than the grace": {
      from: "          Effect.timeoutOption(graceMs)\n",
      to: "          Effect.timeoutOption(graceMs * 100)\n",
      tests: ["unit/client/resume"]
    },
    "a manager that says nothing is not noticed": {
      from: "unanswered < questionsMax;",
      to: "unanswered < Infinity;",
      tests: ["unit/client/resume"]
    },
    "the grace of holds is counted from when the loss is noticed": {
      from: "Math.max(0, heardAt + holdsMs - now)",
      to: "graceMs * holdsShare",
      tests: ["unit/client/resume"]
    },
    "heartbeats are counted from the wrong side": {
      from: "if (connection.isHeard) heardAt = askedAt",
      to: "heardAt = askedAt",
      tests: ["unit/client/resume"]
    },
    "no second attempt is made": {
      from: "{ schedule, while: isTransient }",
      to: "{ schedule, while: () => false }",
      tests: ["unit/client/resume"]
    }
  }),
  ...inFile("core/src/client/Resumption.ts", {
    "what was received last is not acknowledged over a new link": {
      from: "if (from <= sequence) tell(",
      to: "if (from < 0) tell(",
      tests: ["unit/client/resume"]
    },
    "what was received before an unsettled call is not acknowledged over a new link": {
      from: "if (first <= last) tell(",
      to: "if (first < 0) tell(",
      tests: ["unit/client/resume"]
    },
    "a cancel is not repeated over a new link": {
      from: "if (call.state === \"Cancelling\") tell(",
      to: "if (call.state === \"Waiting\") tell(",
      tests: ["unit/client/resume"]
    },
    "holds are not compared over a new link": {
      from: "i < tokens.length",
      to: "i < 0",
      tests: ["unit/client/resume"]
    }
  }),
  ...inFile("core/src/client/Outbox.ts", {
    "the last receipts are not sent": {
      from: "    this.#receipts.flush()\n    this.writer.goodbye()",
      to: "    this.writer.goodbye()",
      tests: ["unit/client/owed"]
    }
  }),
  ...inFile("core/src/client/Watches.ts", {
    "a snapshot gives credit": {
      from: "taken.filter(({ credits }) => credits === sequence).length",
      to: "taken.length",
      tests: ["unit/client/watch"]
    },
    "a stream that has ended stays subscribed": {
      from: "      this.#wire.unsubscribe(watch.sequence)\n",
      to: "",
      tests: ["unit/client/watch"]
    },
    "the handles of unread events are kept": {
      from: "left.forEach(({ parts }) => this.#wire.giveBack(parts))",
      to: "void left",
      tests: ["unit/client/owed"]
    },
    "the handles of an event without a reader are kept": {
      from: "if (watch === undefined) return this.#wire.giveBack(parts)",
      to: "if (watch === undefined) return",
      tests: ["unit/client/owed"]
    }
  }),
  ...inFile("core/src/client/Joint.ts", {
    "a call waits for others that are never made": {
      from: "    for (const call of this.#calls) if (call !== undefined) refuse(call, abandoned)\n",
      to: "",
      tests: ["unit/client/together"]
    },
    "a call is gathered though others are never made": {
      from: "    if (this.#missing === Infinity) return refuse(call, abandoned)\n",
      to: "",
      tests: ["unit/client/together"]
    },
    "a joint request of one read is a read": {
      from: "calls.every(({ operation }) => operation.access === \"read\")",
      to: "calls.some(({ operation }) => operation.access === \"read\")",
      tests: ["unit/client/owed"]
    },
    "the handles of a joint reply have no owner": {
      from: "      sender.own(result.outcome.reply, call.fiber)\n",
      to: "",
      tests: ["unit/client/together", "unit/proxy/fetched"]
    }
  }),
  ...inFile("core/src/client/LongWaits.ts", {
    "a long wait is logged again and again": {
      from: "        call.waitsSince = undefined\n",
      to: "",
      tests: ["unit/client/longWaits"]
    }
  }),
  ...inFile("core/src/client/Holds.ts", {
    "a hold that was given up is lost later": {
      from: "return () => this.#lost.delete(hold)",
      to: "return () => {}",
      tests: ["unit/client/guard"]
    }
  }),
  ...inFile("core/src/client/settled.ts", {
    "an interruption leaves its timer": {
      from: "      timer.interruptUnsafe()\n",
      to: "",
      tests: ["unit/client/owed"]
    }
  }),
  ...inFile("core/src/client/Connect.ts", {
    "the scope's end is a lost connection": {
      from: "yield* Effect.addFinalizer(() => Effect.sync(() => connection.close()))",
      to: "yield* Effect.void",
      tests: ["unit/client/owed"]
    }
  }),
  ...inFile("core/src/transport/Frames.ts", {
    "a link that broke the protocol is read on": {
      from: "      broken = true\n      end(Cause.fail",
      to: "      end(Cause.fail",
      tests: ["unit/protocol/frames"]
    },
    "frames that arrive before the handler listens are lost": {
      from: "              frames.forEach(onFrame)\n",
      to: "",
      tests: ["unit/protocol/frames"]
    }
  }),
  ...inFile("core/src/protocol/Frame.ts", {
    "a frame of the largest size is refused": {
      from: "      if (size > this.bytesMax) return false\n      if (chunk.length",
      to: "      if (size >= this.bytesMax) return false\n      if (chunk.length",
      tests: ["unit/protocol/bytes"]
    },
    "a frame of the largest size in two pieces is refused": {
      from: "      if (size > this.bytesMax) return false\n      offset",
      to: "      if (size >= this.bytesMax) return false\n      offset",
      tests: ["unit/protocol/bytes"]
    },
    "one large frame costs its memory for ever": {
      from: "      if (this.#pending.length > keptBytesMax) this.#pending = new Uint8Array(headerBytes)\n",
      to: "",
      tests: ["unit/protocol/buffers"]
    }
  }),
  ...inFile("core/src/protocol/Handshake.ts", {
    "the proof does not cover the name": {
      from: "    response.name,\n",
      to: "",
      tests: ["unit/protocol/handshake"]
    },
    "the proof does not cover the pid": {
      from: "    response.pid,\n",
      to: "",
      tests: ["unit/protocol/handshake"]
    },
    "the proof does not cover the link's binding": {
      from: "    ...asked(response.session),\n    binding\n",
      to: "    ...asked(response.session)\n",
      tests: ["unit/protocol/handshake"]
    }
  }),
  ...inFile("core/src/proxy/pages.ts", {
    "a scan outlives its stream": {
      from: "if (scan !== 0) yield*",
      to: "if (scan === 0) yield*",
      tests: ["unit/proxy/pages"]
    }
  }),
  ...inFile("core/src/proxy/modify.ts", {
    "a reservation outlives an update that failed": {
      from: "if (Exit.isFailure(exit)) remote.tell",
      to: "if (Exit.isSuccess(exit)) remote.tell",
      tests: ["unit/client/owed"]
    }
  }),
  ...inFile("core/src/proxy/hold.ts", {
    "a suspended hold can be lost to its old token": {
      from: "  suspend(): void {\n    this.#unregister()\n",
      to: "  suspend(): void {\n",
      tests: ["unit/proxy/condition"]
    },
    "the hold of a body that has ended stays registered": {
      from: "  end(): void {\n    this.#unregister()\n",
      to: "  end(): void {\n",
      tests: ["unit/client/guard"]
    }
  }),
  ...inFile("core/src/pool/Dispatcher.ts", {
    "the carrier of a result is never removed": {
      from: "      worker.writer.forget(job.id)\n",
      to: "",
      tests: ["process/memory"]
    },
    "a worker that has ended is sent messages": {
      from: "    this.#written.delete(worker)\n",
      to: "",
      tests: ["unit/pool/dispatcher"]
    },
    "a call that has ended keeps the timer of its grace": {
      from: "        return job.call.grace?.interruptUnsafe()",
      to: "        return",
      tests: ["unit/pool/dispatcher"]
    },
    "a call that fails with its pool keeps the timer of its grace": {
      from: "      call.grace?.interruptUnsafe()\n      if",
      to: "      if",
      tests: ["unit/pool/dispatcher"]
    },
    "a call that is made while calls end overtakes": {
      from: "if (this.#isCarryingOut || commands.length === 0) return",
      to: "if (commands.length === 0) return",
      tests: ["unit/pool/dispatcher"]
    },
    "a pool that has stopped takes calls": {
      from: "    if (this.#stopped !== undefined) {\n      resume(",
      to: "    if (this.#stopped === \"\") {\n      resume(",
      tests: ["unit/pool/dispatcher"]
    }
  }),
  ...inFile("core/src/pool/Runner.ts", {
    "the handles of a payload are never given back": {
      from: "        HandleCarrier.dropHandles\n",
      to: "        () => Effect.void\n",
      tests: ["process/memory"]
    },
    "a job starts before its start is reported": {
      from: "      if (this.#link.pendingBytes() > 0) return\n",
      to: "",
      tests: ["unit/pool/runner"]
    },
    "a job waits for ever for its report to leave": {
      from: "  readonly onDrain = (): void => {\n    this.#turn()\n",
      to: "  readonly onDrain = (): void => {\n",
      tests: ["unit/pool/runner"]
    },
    "a job that was withdrawn runs": {
      from: "if (this.#waiting.delete(message.job)) this.#writer.returned",
      to: "if (this.#waiting.has(message.job)) this.#writer.returned",
      tests: ["unit/pool/runner"]
    },
    "a withdrawal without interruption interrupts": {
      from: "else if (message.interrupt && this.#running?.job",
      to: "else if (this.#running?.job",
      tests: ["unit/pool/runner", "process/memory"]
    },
    "the carriers of a worker outlive it": {
      from: "    const carriers = [...this.#carriers.values()]",
      to: "    const carriers: Array<Scope.Closeable> = []",
      tests: ["unit/pool/runner"]
    },
    "a job that its worker's end interrupts reports so": {
      from: "if (!this.#isClosing || Exit.isSuccess(exit)) end(exit)",
      to: "end(exit)",
      tests: ["process/memory"]
    }
  }),
  ...inFile("core/src/pool/Scheduler.ts", {
    "the jobs of a dead worker come back in reverse": {
      from: "for (let job = worker.jobs.tail; job !== undefined; job = worker.jobs.tail)",
      to: "for (let job = worker.jobs.head; job !== undefined; job = worker.jobs.head)",
      tests: ["unit/pool/scheduler"]
    },
    "an old grace kills": {
      from: "if (worker.killed || job.graceSinceMs !== sinceMs) return",
      to: "if (worker.killed) return",
      tests: ["unit/pool/scheduler"]
    },
    "a job that was sent counts after it is gone": {
      from: "    worker.bytes -= job.bytes\n",
      to: "",
      tests: ["unit/pool/scheduler"]
    }
  }),
  ...inFile("core/src/pool/Supervisor.ts", {
    "pauses grow after a start that succeeded": {
      from: "      failures = 0\n",
      to: "",
      tests: ["unit/pool/supervisor"]
    },
    "a worker that ended counts as ready": {
      from: "        presence.ready--\n",
      to: "",
      tests: ["unit/pool/supervisor"]
    },
    "the time without workers counts from the start": {
      from: "        presence.absentSinceMs = clock.currentTimeMillisUnsafe()\n",
      to: "",
      tests: ["unit/pool/supervisor"]
    },
    "a worker whose link has ended stays": {
      from: "Effect.flatMap(Fiber.join(reading), (reason) =>",
      to: "Effect.flatMap(Effect.never, (reason) =>",
      tests: ["unit/pool/supervisor"]
    },
    "pauses have no bound": {
      from: "Math.min(pauseMs * 2 ** failures++, pauseMsMax)",
      to: "pauseMs * 2 ** failures++",
      tests: ["unit/pool/supervisor"]
    }
  }),
  ...inFile("core/src/tracing/Span.ts", {
    "a call is a span outside of sampled spans": {
      from: " && cache.span?.sampled === true ? cache.span : undefined",
      to: " ? cache.span : undefined",
      tests: ["unit/metrics/spans"]
    },
    "the run of a task has no parent in another process": {
      from: "caller === undefined ? effect : ",
      to: "true ? effect : ",
      tests: ["unit/metrics/spans"]
    }
  }),
  ...inFile("core/src/Metrics.ts", {
    "gauges of a lost manager stay": {
      from: "Effect.sync(() => gauges.show(new Map())),\n            Effect.logDebug",
      to: "Effect.void,\n            Effect.logDebug",
      tests: ["unit/metrics/metrics"]
    },
    "a gauge of a removed queue stays": {
      from: "for (const shown of this.#shown.keys()) Metric.removeUnsafe(shown, this.#context)",
      to: "",
      tests: ["unit/metrics/metrics"]
    }
  }),
  ...inFile("core/src/pool/PoolStats.ts", {
    "the last counts are not published": {
      from: "  end(): void {\n    this.publishProgress()\n",
      to: "  end(): void {\n",
      tests: ["unit/pool/stats"]
    }
  }),
  ...inFile("node/src/netLink.ts", {
    "a link drains while bytes are pending": {
      from: "if (!isBehind || error || socket.writableLength > 0) return",
      to: "if (!isBehind || error) return",
      tests: ["process/link"]
    },
    "a link that was never behind drains": {
      from: "if (!isBehind || error",
      to: "if (error",
      tests: ["process/link"]
    },
    "a frozen peer holds a closed link open": {
      from: "const timer = setTimeout(() => socket.destroy(), lastBytesMs)",
      to: "const timer = setTimeout(() => {}, lastBytesMs)",
      tests: ["process/link"]
    }
  }),
  ...inFile("node/src/relay.ts", {
    "what a worker does not read has no bound": {
      from: "if (worker.pendingBytes() >= unreadBytesMax)",
      to: "if (worker.pendingBytes() < 0)",
      tests: ["unit/node/relay"]
    }
  }),
  ...inFile("node/src/pipeLink.ts", {
    "a pipe never drains": {
      from: "if (pendingBytes === 0) drained()",
      to: "if (pendingBytes < 0) drained()",
      tests: ["process/link"]
    }
  }),
  ...inFile("node/src/endpoint.ts", {
    "a manager that is not there is waited for": {
      from: ": /EAGAIN|ECONNREFUSED|ECONNRESET/\n",
      to: ": /./\n",
      tests: ["process/clients"]
    },
    "a socket that was removed is not made again": {
      from: "yield* Effect.ignore(listenOnce(server, path))",
      to: "yield* Effect.void",
      tests: ["process/socketFile"]
    },
    "clients are cut before they are told": {
      from: "yield* Effect.addFinalizer(() => server.close)",
      to: "yield* Effect.void",
      tests: ["process/ends"]
    }
  }),
  ...inFile("node/src/tlsLink.ts", {
    "links over TLS have no binding": {
      from: "NetLink.fromSocket(socket, binding)",
      to: "NetLink.fromSocket(socket)",
      tests: ["process/network"]
    },
    "silent connections of TLS are without number": {
      from: "pending.size < unauthenticatedMax",
      to: "pending",
      tests: ["process/network"]
    },
    "clients need no certificate where one is required": {
      from: "requestCert: true, rejectUnauthorized: true",
      to: "requestCert: true, rejectUnauthorized: false",
      tests: ["process/network"]
    }
  }),
  ...inFile("node/src/clientConfig.ts", {
    "a key file may be read by others": {
      from: "0 : 0o077",
      to: "0 : 0o000",
      tests: ["process/clientConfig"]
    }
  }),
  ...inFile("node/src/address.ts", {
    "a password in a URL is no key": {
      from: " || url.password !== \"\"",
      to: "",
      tests: ["process/network"]
    }
  }),
  ...inFile("node/src/network.ts", {
    "a client sends plain bytes to anywhere": {
      from: "plainIssue(target.host, \"Use emps://\")",
      to: "undefined",
      tests: ["process/network"]
    },
    "a server listens without TLS at every interface": {
      from: "tls === undefined && !allowUnencrypted",
      to: "tls === null && !allowUnencrypted",
      tests: ["process/network"]
    }
  }),
  ...inFile("node/src/socketFile.ts", {
    "any error of connecting shows a stale socket": {
      from: "/ECONNREFUSED|ENOENT/.test(reason)",
      to: "true",
      tests: ["process/socketFile"]
    },
    "a server removes the socket of another one": {
      from: "if (isSame(own, look(path))) rmSync",
      to: "if (look(path) !== undefined) rmSync",
      tests: ["process/socketFile"]
    },
    "a claim of a process that lives counts for nothing": {
      from: "    if (!isDead(claim)) return false\n",
      to: "",
      tests: ["process/socketFile"]
    },
    "claims stay": {
      from: "  for (const claim of claims) rmSync(claim, { force: true })\n",
      to: "",
      tests: ["process/socketFile"]
    },
    "a socket in use is never touched": {
      from: "found !== undefined && nowMs - Number(found.mtimeMs) > touchAfterMs",
      to: "found === undefined",
      tests: ["process/socketFile"]
    }
  }),
  ...inFile("node/src/childProcess.ts", {
    "the first lines are kept, not the last": {
      from: "if (lines.length > keptLines) lines.shift()",
      to: "if (lines.length > keptLines) lines.pop()",
      tests: ["process/process"]
    },
    "a child that has ended is guarded for ever": {
      from: "group === undefined || Watchdog.release(group)",
      to: "group",
      tests: ["process/process"]
    },
    "a child is not guarded": {
      from: "Watchdog.guard(group = pid, options.guard)",
      to: "{ group = pid }",
      tests: ["process/killed"]
    },
    "the watchdog finds no child that has started before it is told so": {
      from: "{ ...options.environment, ...announced.environment }",
      to: "options.environment",
      tests: ["process/killed"]
    },
    "the output of a child is cut off at its end": {
      from: "Effect.tap(exitOf(handle), () => Effect.timeoutOption(Fiber.await(listening), drainMs))",
      to: "exitOf(handle)",
      tests: ["process/process"]
    }
  }),
  ...inFile("node/src/watchdog.ts", {
    "a watchdog that was killed is not brought back": {
      from: ".once(\"exit\", () => watchdog = undefined)",
      to: "",
      tests: ["process/killed"]
    },
    "a new watchdog does not know the earlier children": {
      from: "for (const [group, guard] of groups) tell({ group, guard })",
      to: "",
      tests: ["process/killed"]
    },
    "workers that have ended are named": {
      from: "  groups.delete(group)\n",
      to: "",
      tests: ["process/process"]
    }
  }),
  ...inFile("node/src/programs/watchdog.ts", {
    "the watchdog forgets half a line": {
      from: "const lines = (unfinished + text).split",
      to: "const lines = text.split",
      tests: ["process/watchdog"]
    },
    "the watchdog kills groups that have ended": {
      from: "else if (told.guard === undefined) groups.delete(told.group)\n    else",
      to: "else if (told.guard !== undefined)",
      tests: ["process/watchdog"]
    },
    "the watchdog kills a child that has started": {
      from: "else starting.delete(told.environment)",
      to: "",
      tests: ["process/watchdog"]
    },
    "the watchdog ends with a signal to all": {
      from: "Signals.ignore()\n",
      to: "\n",
      tests: ["process/watchdog"]
    },
    "an error of one group saves the others": {
      from: "process.on(\"uncaughtException\", () => {})\n",
      to: "\n",
      tests: ["process/watchdog"]
    }
  }),
  ...inFile("node/src/signals.ts", {
    "a second Ctrl-C never ends at once": {
      from: "    first ??= now\n",
      to: "    first = now\n",
      tests: ["unit/node/signals"]
    },
    "two signals in a row end at once": {
      from: "if (now - first >= oneInterruptMs)",
      to: "if (now > first)",
      tests: ["unit/node/signals"]
    },
    "SIGHUP is not handled": {
      from: "  process.emit(\"SIGTERM\")\n",
      to: "",
      tests: ["process/ends"]
    }
  }),
  ...inFile("node/src/lines.ts", {
    "a return and a new line in two pieces are two lines": {
      from: "    if (text !== \"\") this.#endsInReturn = text.endsWith(\"\\r\")\n",
      to: "",
      tests: ["unit/node/lines"]
    },
    "the last line without a new line is lost": {
      from: "return this.#line === \"\" ? [] : [this.#take()]",
      to: "return []",
      tests: ["unit/node/lines"]
    }
  }),
  ...inFile("node/src/inbox.ts", {
    "a worker's processes take themselves for workers": {
      from: "  delete process.env[mark]\n",
      to: "",
      tests: ["process/recursion", "process/inherits"]
    },
    "a character in two pieces breaks the instructions": {
      from: "line += decoder.decode(chunk.subarray(0, size), { stream: true })",
      to: "line += decoder.decode(chunk.subarray(0, size))",
      tests: ["process/inbox"]
    }
  }),
  ...inFile("node/src/managerProgram.ts", {
    "the manager goes on without its journal": {
      from: ", server.awaitDefect]",
      to: "]",
      tests: ["process/ends"]
    },
    "a manager's process goes on when an owner shuts it down": {
      from: "server.awaitShutdown, ",
      to: "",
      tests: ["process/shutdown"]
    }
  }),
  ...inFile("node/src/NodeManager.ts", {
    "a manager starts without a kind that it is to have": {
      from: "    missing === undefined\n",
      to: "    true\n",
      tests: ["process/kinds"]
    }
  }),
  ...inFile("core/src/engine/Permission.ts", {
    "an observer changes objects": {
      from: "!operation.observes",
      to: "operation.observes",
      tests: ["unit/engine/permission"]
    },
    "the id of an object permits it": {
      from: "imports.has(id) || has(rights, name)",
      to: "true",
      tests: ["unit/engine/permission"]
    },
    "a handle that was not given is passed on": {
      from: " ?? ofHandles(state, session, args)",
      to: "",
      tests: ["unit/engine/permission"]
    },
    "a client removes objects of other names": {
      from: "rights.names !== undefined && has(rights, name) ?",
      to: "rights.names !== undefined ?",
      tests: ["unit/engine/permission"]
    }
  }),
  ...inFile("core/src/engine/Watchers.ts", {
    "an object of another name is watched": {
      from: "if (refused !== undefined) return failure",
      to: "if (false) return failure",
      tests: ["unit/engine/permission"]
    }
  }),
  ...inFile("core/src/server/Pace.ts", {
    "a bucket fills without end": {
      from: "Math.min(this.#perSecond, this.#level + (now - this.#at) * this.#perSecond / 1_000)",
      to: "this.#perSecond",
      tests: ["unit/server/pace"]
    }
  }),
  ...inFile("core/src/Manager.ts", {
    "two kinds have one name": {
      from: " ?? twice(kinds)",
      to: "",
      tests: ["unit/kind/kind"]
    },
    "one key has two roles": {
      from: " ?? Keys.issueOf(options.key, options.keys)",
      to: "",
      tests: ["unit/server/roles"]
    }
  }),
  ...inFile("core/src/kind/Evaluator.ts", {
    "an own kind stores a state that does not fit": {
      from: "if (!this.#fit(next, previous))",
      to: "if (!this.#fit(next, next))",
      tests: ["unit/kind/kind"]
    },
    "a transition can write into the state": {
      from: "    freeze(next)\n",
      to: "",
      tests: ["unit/kind/kind"]
    }
  }),
  ...inFile("core/src/kind/EngineKind.ts", {
    "the watchers of an own kind are told nothing": {
      from: "if (at.isWatched)",
      to: "if (!at.isWatched)",
      tests: ["unit/kind/kind"]
    },
    "an own kind takes the index before": {
      from: "at.index : at.upcoming",
      to: "at.index : at.index",
      tests: ["unit/kind/kind"]
    },
    "the bytes of an own kind are not counted": {
      from: "at.grow(grown)\n",
      to: "",
      tests: ["unit/kind/kind"]
    }
  })
]
