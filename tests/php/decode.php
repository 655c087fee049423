<?php
// What PHP makes of a form body or of a serialized value. One question a line (what is asked, a space, base64 of the
// bytes), one line of JSON each as the answer. Arrays are lists of [key, value], so that their order is told too.

const JSON = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;

function tree_of(array|string $value): array|string
{
    if (is_string($value)) {
        return $value;
    }
    return array_map(fn ($key) => [(string) $key, tree_of($value[$key])], array_keys($value));
}

// Where in `$tree` the text `$sought` stands, as a list of keys; null: nowhere.
function path_to(string $sought, array|string $tree): ?array
{
    if (is_string($tree)) {
        return $tree === $sought ? [] : null;
    }
    foreach ($tree as $key => $value) {
        $rest = path_to($sought, $value);
        if ($rest !== null) {
            return [(string) $key, ...$rest];
        }
    }
    return null;
}

// The whole tree; and where each pair was put when its turn came, whatever overwrote it later (null: dropped).
function parsed(string $body): array
{
    parse_str($body, $whole);
    $paths = [];
    $marked = '';
    foreach (array_filter(explode('&', $body), fn ($pair) => $pair !== '') as $pair) {
        $mark = 'mark-' . count($paths);
        $marked .= explode('=', $pair, 2)[0] . "=$mark&";
        parse_str($marked, $so_far);
        $paths[] = path_to($mark, $so_far);
    }
    return ['tree' => tree_of($whole), 'paths' => $paths];
}

// More than anybody asks about: an array that holds itself has no end.
const LEVELS_MAX = 10;

// A value with its type. A float comes as the shortest text that means it.
function typed(mixed $value, int $level = 0): array
{
    return match (true) {
        is_null($value) => ['null', null],
        is_bool($value) => ['bool', $value],
        is_int($value) => ['int', (string) $value],
        is_float($value) => ['float', is_finite($value) ? json_encode($value) : (string) $value],
        is_string($value) => ['text', $value],
        is_array($value) => ['array', $level < LEVELS_MAX ? typed_elements($value, $level + 1) : []],
        default => ['object', null],
    };
}

function typed_elements(array $array, int $level): array
{
    return array_map(fn ($key) => [(string) $key, typed($array[$key], $level)], array_keys($array));
}

function has_references(mixed $value, int $level = 0): bool
{
    if (!is_array($value)) {
        return false;
    }
    foreach ($value as $key => $element) {
        $is_reference = $level === LEVELS_MAX || ReflectionReference::fromArrayElement($value, $key) !== null;
        if ($is_reference || has_references($element, $level + 1)) {
            return true;
        }
    }
    return false;
}

function untyped(array $typed): mixed
{
    [$type, $value] = $typed;
    return match ($type) {
        'int' => (int) $value,
        'float' => (float) $value,
        'array' => array_combine(array_column($value, 0), array_map(untyped(...), array_column($value, 1))),
        default => $value,
    };
}

// What unserialize() makes of the bytes, and what serialize() makes of that again; null: it refuses.
function unserialized(string $blob): ?array
{
    $value = @unserialize($blob, ['allowed_classes' => false]);
    if ($value === false && $blob !== 'b:0;') {
        return null;
    }
    return [
        'value' => typed($value),
        'has_references' => has_references($value),
        'again' => base64_encode(serialize($value)),
    ];
}

while (($line = fgets(STDIN)) !== false) {
    [$asked, $packed] = explode(' ', rtrim($line, "\n"));
    $bytes = base64_decode($packed);
    $answer = match ($asked) {
        'parse_str' => parsed($bytes),
        'serialize' => base64_encode(serialize(untyped(json_decode($bytes, true, flags: JSON_THROW_ON_ERROR)))),
        'unserialize' => unserialized($bytes),
        'base64_decode' => base64_encode(base64_decode($bytes)),
    };
    echo json_encode($answer, JSON), "\n";
}
