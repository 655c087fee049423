<?php
// Place one order and show the answer: php publish.php KEY. The same key again never orders twice.
require __DIR__ . '/vendor/autoload.php'; // composer require php-amqplib/php-amqplib

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

// Whoever tries again is told the same: a password or a right, an exchange, a user_id, a virtual host.
const FOR_GOOD = [403, 404, 406, 530];

function ask(array $request, string $messageId, int $number): string
{
    $url = array_map(urldecode(...), parse_url(getenv('ORDERS_AMQP_URL')));
    $vhost = substr($url['path'] ?? '/', 1) ?: '/';
    $connection = new AMQPStreamConnection($url['host'], $url['port'] ?? 5672, $url['user'], $url['pass'], $vhost);
    $channel = $connection->channel();
    $channel->confirm_select();
    $channel->set_return_listener(fn () => throw new LogicException('no queue takes this message'));
    $answer = null;
    $hear = function (AMQPMessage $reply) use (&$answer) { $answer = $reply->getBody(); };
    $channel->basic_consume('amq.rabbitmq.reply-to', '', false, true, false, false, $hear);
    $message = new AMQPMessage(json_encode($request), [
        'application_headers' => new AMQPTable($number > 1 ? ['try' => $number] : []),
        'content_type' => 'application/json',
        'message_id' => $messageId,
        'user_id' => $url['user'],
        'reply_to' => 'amq.rabbitmq.reply-to',
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
    ]);
    $channel->basic_publish($message, 'orders', 'order.add', true); // true: mandatory
    $channel->wait_for_pending_acks_returns(10);
    while ($answer === null) {
        $channel->wait(null, false, 10);
    }
    $connection->close();
    return $answer;
}

function order(array $request, string $messageId): string
{
    foreach ([1, 2, 5, 10] as $number => $pauseSeconds) {
        try {
            return ask($request, $messageId, $number + 1);
        } catch (LogicException | AMQPExceptionInterface $error) {
            if ($error instanceof LogicException || in_array($error->getCode(), FOR_GOOD)) {
                stop('the broker refuses: ' . $error->getMessage());
            }
            // Nobody knows whether the order was placed. To ask again under the same message_id is safe.
            sleep($pauseSeconds);
        }
    }
    stop("outcome of $messageId unknown: ask again later, under the same key");
}

function stop(string $sentence): never
{
    fwrite(STDERR, "$sentence\n");
    exit(1);
}

$cart = ['clientid' => 1, 'pid' => 7, 'paymentmethod' => 'paypal'];
echo order($cart, $argv[1]), "\n";
