"""Mail that comes back: bounces, complaints, unsubscribes and replies, by SMTP or out of files.

mail.py        takes one apart, within bounds
sorting.py     says what it is; notices.py, answers.py, feedback.py and tokens.py know the kinds
records.py     commits what it means: event, counters, stop
reception.py   brings them together: one mail in, one outcome
connection.py  the SMTP side; files.py the other way in
"""
