"""FastAPI's dependency hands the session to the handler as an annotated argument."""

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, declarative_base, sessionmaker

app = FastAPI()
Base = declarative_base()
SessionLocal = sessionmaker(create_engine("sqlite:///x.db"))


class Item(Base):
    __tablename__ = "item"
    id = Column(Integer, primary_key=True)
    name = Column(Integer)


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@app.post("/one")
def one(db: Session = Depends(get_db)):
    db.add(Item())
    try:
        db.commit()
    except IntegrityError as error:
        db.rollback()
        raise HTTPException(409) from error
    return {}


@app.post("/two")
def two(db: Session = Depends(get_db)):
    db.add(Item())
    db.flush()
    db.add(Item())
    try:
        db.commit()  # <- TXN-MULTI-WRITE
    except IntegrityError as error:
        db.rollback()  # <- TXN-ROLLBACK-LOST
        raise HTTPException(409) from error
    return {}
