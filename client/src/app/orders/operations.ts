import { graphql } from '../../gql/gql.ts';

export const OrderFields = graphql(`
  fragment OrderFields on Order {
    id
    clientOrderId
    symbol
    side
    type
    quantity
    limitPrice
    filledQuantity
    averagePrice
    status
    reason
    createdAt
    updatedAt
  }
`);

export const PlaceOrder = graphql(`
  mutation PlaceOrder($input: PlaceOrderInput!) {
    placeOrder(input: $input) {
      ...OrderFields
    }
  }
`);

export const CancelOrder = graphql(`
  mutation CancelOrder($id: ID!) {
    cancelOrder(id: $id) {
      ...OrderFields
    }
  }
`);

export const OrdersPage = graphql(`
  query OrdersPage($first: Int!, $after: String) {
    orders(first: $first, after: $after) {
      edges {
        node {
          ...OrderFields
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** Where this browser begins to be told: the server's own time, and whose notifications they are. */
export const NoticesBegin = graphql(`
  query NoticesBegin {
    portfolio {
      id
      timestamp
    }
  }
`);

export const TradeNotifications = graphql(`
  subscription TradeNotifications($after: Cursor) {
    tradeNotifications(after: $after) {
      __typename
      ... on TradeExecuted {
        id
        orderId
        symbol
        side
        quantity
        price
        status
        timestamp
        cursor
      }
      ... on TradeFailed {
        orderId
        code
        signal {
          symbol
          side
          quantity
        }
        timestamp
        cursor
      }
    }
  }
`);
