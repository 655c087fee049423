-- Reply and events of an answer are written once; its published mark is written after them. So they go out of line, and a
-- mark rewrites a hundred bytes instead of a thousand. What is there already stays as it lies, and is read as before.
ALTER TABLE answers SET (toast_tuple_target = 128);
