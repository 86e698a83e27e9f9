# Shows only time, account, type and data of an outcome: loyalty simulate ... | sed -Ef docs/examples/short.sed
s/^.*"type":"([^"]*)".*"subject":"([^"]*)".*"time":"([^"]*)".*"data":(\{.*\})\}$/\3 \2 \1 \4/
