#!/usr/bin/env bash
# The tape of some symbols by nothing but curl: server-sent events, a line of JSON for each print.
#
#     examples/curl/tape.sh http://localhost:4000/graphql AAPL MSFT
#
# Each event has its cursor as `id`. Sent back as `Last-Event-ID` it is where the next stream goes on: with the print after it.
# Where somebody has to be signed in: TOKEN=<jwt> examples/curl/tape.sh …
set -u

if [ $# -lt 2 ]; then
  echo 'usage: examples/curl/tape.sh URL SYMBOL...' >&2
  exit 2
fi
url=$1
shift
symbols=$(printf '"%s",' "$@")
query='subscription Tape($symbols: [Symbol!]!) { trades(symbols: $symbols) { symbol sequence price size } }'
body="{\"query\":\"$query\",\"variables\":{\"symbols\":[${symbols%,}]}}"

stream=
trap '[ -n "$stream" ] && kill "$stream" 2> /dev/null' EXIT
trap 'exit 0' INT TERM

cursor=
while :; do
  headers=(-H 'accept: text/event-stream' -H 'content-type: application/json')
  [ -n "$cursor" ] && headers+=(-H "last-event-id: $cursor")
  [ -n "${TOKEN:-}" ] && headers+=(-H "authorization: Bearer $TOKEN")
  exec 3< <(exec curl --silent --no-buffer "${headers[@]}" --data "$body" "$url")
  stream=$!
  # The server writes something every 12 s: a stream that has been silent for longer than 30 s is dead.
  while IFS= read -r -t 30 -u 3 line; do
    case $line in
      'id: '*) cursor=${line#id: } ;;
      *'"code":"HISTORY_EXPIRED"'*)
        # The log no longer reaches back so far: from now on, with a hole before.
        echo 'some prints are lost' >&2
        cursor=
        ;;
      *'"code":"SLOW_CONSUMER"'*) ;;
      'data: {"errors"'*)
        echo "${line#data: }" >&2
        exit 1
        ;;
      'data: {'*) echo "${line#data: }" ;;
    esac
  done
  kill "$stream" 2> /dev/null
  echo 'the stream ended' >&2
  sleep "0.$((RANDOM % 9 + 1))"
done
